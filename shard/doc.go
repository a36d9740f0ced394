// Package shard is one replica of one shard: the state machine that admits,
// evaluates, proposes, applies and serves.
//
// Replica.Step takes one event and never blocks; Effects says what the driver
// (package shard/member, or the simulator) has to do: append to the log, send,
// reply, ask the oracle. Point reads and scans run on their caller's goroutine
// and block only through env.Env.
//
// A write request passes through these stages, each in the file of its name:
//
//	admit     leading, right epoch, keys in range (L1, L2)       admit.go
//	latch     all keys at once, in arrival order                 admit.go
//	evaluate  idempotence, L3, intents, c, reads, program        request.go, commit.go, prewrite.go
//	propose   pending commands become one raft entry             propose.go
//	apply     one engine batch with the applied index            apply.go
//	answer    OK, or REFUSED, or what proves nothing             answer.go
//
// Beside them: locks in lock.go (advisory, in memory), ephemeral keys in
// volatile.go and ephemeral.go (memory of a leadership), the recovery of other
// transactions in record.go and intents.go, and the collector of what nobody
// asks for any more in collect.go.
//
// What a leader knows of the newest versions of keys, in versions.go, is what
// the engine has, and no promise. What a leader promises from memory (latches,
// timestamp cache, refused ids, known outcomes) dies with its leadership; rule L3 stands in for it.
package shard
