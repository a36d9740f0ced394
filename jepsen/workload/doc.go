// Package workload puts a cluster under loads that show when it does not keep
// its word, through package client alone, and records what the clients were told.
//
//	W1 list-append     transactions over lists on all shards
//	W2 predicate       scans of ranges, with inserts and deletes in them
//	W3 bank            transfers and increments that leave the sum as it is
//	W4 set             keys that are inserted once, and scans of all of them
//	W5 register        reads, writes, compare-and-set and deletes of hot keys
//	W6 monotonic       registers that are counted up, with their timestamps
//	W6 causal-reverse  inserts one after another, and scans of all of them
//
// W7 (watch) and W8 (fenced lock) are for what Cairn does not have yet.
//
// A workload makes plans (plan.go): what to read and write, with all values that
// may be written, since a call whose answer is lost must have said them before.
// So what depends on what is there is planned by what was seen last, and carried
// out if that is still so; if not it is a read. A worker (worker.go) carries a
// plan out in one of the ways of package client, each a mode (modes.go), and
// records it: ok with all that was answered by the attempt that committed, fail
// if nothing can have happened, info if nobody knows.
//
// Keys in a history are not those of the store, which have a letter in front
// that decides the shard (layout.go).
//
// TS of an operation is what package client tells of it. It tells none of Get,
// BatchGet and Scan outside of transactions, of a pessimistic Update that wrote
// nothing, and of a condition that did not hold. That of an Update that wrote is
// looked up in the history of a key, by the message of the transaction.
package workload
