// Package coordinator decides transactions. It finds the shards of a request,
// gets its timestamps, reads at one snapshot, and commits: at one shard with
// one request, over several with prewrites and a record that says what became
// of them (two-phase commit). It holds nothing on disk. What it began and did
// not finish, others find by the intents in their way, and ask the record.
//
// It never knows more than an answer told it. A shard's OK is done, and its
// refusal is the end of that transaction id for ever, whatever copies still
// travel; silence, Retry and Moved prove nothing, so the same bytes are sent
// again. Hence four ends of a commit: committed, refused (Conflict or Invalid;
// proved), aborted for lack of time (Deadline; the record says so), and
// Unknown, after which the coordinator goes on until the record is decided.
// Another attempt takes another id, and only once the old one is dead.
//
// It is core code: it blocks through env.Env alone, and it does not hold a
// mutex while it does. Deadlines are moments of Env.Now. Once something was
// sent that may commit, the caller's context counts no more.
//
// How to read it:
//
//	execute.go      one-shot transactions: where they run, when they run again
//	begin.go interactive.go    transactions held open for a client
//	pessimistic.go lock.go     those that lock what they touch
//	escalate.go     one-shot transactions that lock, after others have spoilt two attempts
//	commit.go       one attempt: which way it goes, and the way over one shard
//	twophase.go     the way over several: requests, validation, the order of it all
//	prewrite.go     what the answers to prewrites come to
//	decide.go       the word of the record, and the ends that it leads to
//	parallel.go     the end without it: what was prewritten is the commit
//	resolve.go      what happens after the answer
//	recover.go staging.go      somebody else's transaction is in the way
//	sweep.go        what somebody has left behind
//	request.go outcome.go      what was asked for twice, and what became of it
//	read.go scan.go view.go    snapshots, and what a transaction saw in them
//	ephemeral.go    keys that live in the memory of leaders, without transactions
//	timestamps.go routes.go    what every request needs first
//	deliver.go      how a request is sent until it is answered
//
// Or start with testdata/twophase.txt: each story is the messages it takes.
package coordinator
