// Package mvcc keeps the versions, intents, records and shard states of one
// member in an ordered key-value engine.
//
// It owns every key and every byte of the state engine: how a key is spelled
// (enginekey.go), how a value is laid out (value.go, intent.go, record.go,
// state.go), what a reader sees at a timestamp (reader.go), what a leader need
// not ask the engine for (versioncache.go), and the two engines behind one
// interface: Pebble for real disks, and an ordered map
// that loses its un-synced tail at a crash for the simulator.
//
// It decides nothing about transactions: which intents count and at which
// timestamp is told to a Reader by its caller.
//
// Start with engine.go, then reader.go and testdata/reader.
package mvcc
