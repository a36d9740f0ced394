// Package mutant plants known bugs, so that the tests can show that they
// would find them. Without the build tag `mutants` every one is a constant
// false and costs nothing.
//
// A mutant is named after the rule of docs/transactions.md that it breaks.
package mutant

// Name is one planted bug.
type Name string

// The catalogue.
const (
	// AckBeforeSync answers a write before its log entry is durable.
	AckBeforeSync Name = "ack-before-sync"
	// L1ServeEarly serves before an entry of the own term is applied.
	L1ServeEarly Name = "L1-serve-early"
	// L1StartEarly takes a leaderStartTS from before the election.
	L1StartEarly Name = "L1-start-early"
	// L3Base admits writes whose base_ts is older than the leadership.
	L3Base Name = "L3-base"
	// L3Age admits writes whose base_ts is too old to be remembered as dead.
	L3Age Name = "L3-age"
	// MaxTS commits later than what was read stays true.
	MaxTS Name = "max-ts"
	// L4 answers without a look at the lease.
	L4 Name = "L4"
	// L5 refuses without remembering whom.
	L5 Name = "L5"
	// V3 takes the reader's snapshot before the timestamp cache knows of it.
	V3 Name = "V3"
	// V4 validates spans without a look at what is on its way there.
	V4 Name = "V4"
	// V5 observes of a limited scan no more than the keys that it returned.
	V5 Name = "V5"
	// V6 lets a transaction commit after something that it saw has expired.
	V6 Name = "V6"
	// V7 validates after it has prewritten.
	V7 Name = "V7"
	// R4 keeps the lease after the leadership was offered to somebody.
	R4 Name = "R4"
	// R8 lets raft forward proposals to whoever leads now.
	R8 Name = "R8"
	// R9 applies what an earlier leadership evaluated.
	R9 Name = "R9"
	// T1 issues timestamps without a look at the lease.
	T1 Name = "T1"
	// T4 serves who asks for a timestamp by a request that is on its way already.
	T4 Name = "T4"
	// T6 lets a write land at the timestamp at which its key was read.
	T6 Name = "T6"
	// VoteGate votes whenever raft would.
	VoteGate Name = "vote-gate"
	// R13 starts on a log that is behind the applied state as it is.
	R13 Name = "R13"
	// R14 truncates the log up to what is applied, not to what is durable.
	R14 Name = "R14"
	// C1 tells that an intent is missing, or aborts it, and lets it come all the same.
	C1 Name = "C1"
	// C8 takes an intent that has been resolved for one that is missing.
	C8 Name = "C8"
	// A6 takes a record that was collected for one that never was.
	A6 Name = "A6"
	// C4 refuses a copy of a request without a look whether another was carried out.
	C4 Name = "C4"
	// C6 carries out a commit again if a copy of it comes again.
	C6 Name = "C6"
	// C12 carries out a request whatever became of an earlier attempt at it.
	C12 Name = "C12"
	// C12Window lets a version push the request of an older one out of sight.
	C12Window Name = "C12-window"
	// C12Since carries out a request where no copy of it looks.
	C12Since Name = "C12-since"
	// M1 derives what it writes from what others have only prepared.
	M1 Name = "M1"
	// M2 commits on top of what has expired since a write was prepared on it.
	M2 Name = "M2"
	// M6 remembers as newest what a reader has found, whatever was applied meanwhile.
	M6 Name = "M6"
	// A2 makes a record whatever has become of the last one.
	A2 Name = "A2"
	// A3 refuses a request that would have to wait for its latches.
	A3 Name = "A3"
	// A4 forgets now and then whom it has refused, by its own clock.
	A4 Name = "A4"
	// A5 counts prewrites that were answered after the abort was sent.
	A5 Name = "A5"
	// A10 writes where another transaction has an intent.
	A10 Name = "A10"
	// A11 judges a value that it resolves as of when it was prepared.
	A11 Name = "A11"
	// A12 takes an undecided intent on what was only read for aborted.
	A12 Name = "A12"
	// A12Latch latches no key that is only read.
	A12Latch Name = "A12-latch"
	// A1 knows a version that lies at base_ts itself for another's.
	A1 Name = "A1"
	// K2 forgets what was read under locks when it lets them go.
	K2 Name = "K2"
	// K3 lets locks go before what was written under them is there.
	K3 Name = "K3"
	// M14 collects the intents after it has opened the iterator.
	M14 Name = "M14"
	// A7 removes records without raising the floor below which none is made.
	A7 Name = "A7"
	// F7 takes every coordinator for one that has gone. It costs aborts, and lets
	// others be seen that recovery has to meet.
	F7 Name = "F7"
	// C7 removes records of which intents may be left.
	C7 Name = "C7"
)
