// Package txn holds the words that every part of Cairn shares: timestamps,
// transaction ids and ages, keys and spans, typed values and versions,
// operations and conditions, read and write sets, the transaction record with
// its state machine, the recovery decision, and the one error type.
//
// It is pure: no clock, no goroutine, no I/O, and it imports nothing of ours.
//
// Start with version.go (what a key is made of), then buffer.go (what an
// operation means), then record.go (how a transaction is decided).
package txn
