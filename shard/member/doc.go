// Package member is one shard process: it owns the data directory, the two
// engines and the goroutines around the replicas of package shard.
//
// There are four kinds of goroutines, each with a file of its name: workers
// step the replicas (a replica belongs to one worker), one appender writes and
// syncs the raft logs of all of them together, two keepers pass time and
// watch the disk, and whoever calls waits for its answer (calls.go). A
// request travels caller, worker, appender, worker, caller. What takes its time
// has a goroutine until it is done: a snapshot on its way out or being
// installed, a request to an oracle elsewhere.
//
// Member satisfies coordinator.Shards for a gateway in the same process.
package member
