// Package locks is what the leader of one shard keeps in memory about requests
// in flight: latches, the lock table, the timestamp cache, refused transaction
// ids and known outcomes.
//
// All of it dies with the leadership; rules L1 and L3 of docs/transactions.md
// stand in for what was promised. Nothing here makes a commit durable.
//
// A latch is held by a request while it is evaluated and applied, and keeps
// what it concludes true; a lock is held by a transaction over many requests,
// and is advisory: it spares aborts.
//
// It is pure: no clock, no goroutine, no I/O, and no call blocks on another
// request. Answers say granted or queued, and the replica wakes whom an answer
// names. Everything has a single owner, who brings the mutex, except TSCache
// and ShardCache, which readers use on their own goroutines.
//
// Start with testdata/latches/readers.txt, then latches.go; of locks with
// testdata/table/wound.txt, then table.go, tablelook.go and tablequeue.go.
package locks
