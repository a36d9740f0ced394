// Package locks is what the leader of one shard keeps in memory about requests
// in flight: latches, the timestamp cache, refused transaction ids and known
// outcomes.
//
// All of it dies with the leadership; rules L1 and L3 of docs/transactions.md
// stand in for what was promised. Nothing here makes a commit durable.
//
// The wound-wait lock table is not built yet; this package will hold it.
//
// It is pure: no clock, no goroutine, no I/O, and no call blocks on another
// request. Answers say granted or queued, and the replica wakes whom an answer
// names. Everything has a single owner, who brings the mutex, except TSCache
// and ShardCache, which readers use on their own goroutines.
//
// Start with testdata/latches/readers.txt, then latches.go.
package locks
