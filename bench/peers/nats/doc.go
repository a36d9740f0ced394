// Package nats measures the key/value store of NATS: servers from its published module, each a
// process with the flags of the nats-server command, driven by one connection of nats.go.
//
// A bucket has as many replicas as there are servers. Its get may be answered by any replica and
// is not linearizable, and it has no transactions over two keys.
package nats
