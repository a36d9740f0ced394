// Package sim is the seeded simulator (tier A of docs/architecture.md): whole
// installations of Cairn in one goroutine, in virtual time, with faults, and
// an exact oracle for what clients were told.
//
// A seed chooses everything: machines and shards, keys and clients, workloads,
// which faults there are and how bad (plan.go), and then each single choice of
// the run: which task goes on, how long a message or a sync takes, when who
// crashes and what of the un-synced commits is left. The same seed is the same
// run, event by event; its trace hash says so.
//
// What runs is the product: coordinator.Coordinator, shard.Replica with raft
// beneath it, package mvcc over its map engine, and the codecs of the wire, by
// which all goes that crosses from one process to another. What is simulated is
// around it: env.Env with tasks as coroutines (process.go, task.go), the driver
// of the replicas with its disk (member.go, raft.go, snapshot.go, node.go), the
// network (network.go), the way to whoever leads (routing.go), clients
// (client.go).
//
// One seed in three has shards with one replica. The others have three or five
// members, each with a replica of every shard, and two gateways. Their faults
// are those of faults.go: besides crashes and a bad network, partitions of seven
// kinds, pauses of leaders, suspended machines, clocks that run fast or slow,
// leaderships handed over, lost disks and the members that come in their
// place, logs so short that snapshots travel (nemesis_group.go, replace.go).
// Two are mean: copies of requests that were refused come again when they
// could do harm (echo), and members are restarted just before a request for
// their vote arrives (forget).
//
// In one seed of five lockers (lockers.go) take locks in everybody's way, which
// may cost others their attempts, but must not change what any of them is told;
// afterwards no lock may be left.
//
// Some things are looked at whenever they happen (watch.go, issues.go): at most
// one leader a term, the same entry at the same index everywhere, an applied
// index that never falls, a lease only while nobody else leads (I8),
// timestamps that are issued once and in the order of real time, whoever leads
// the oracle (I1, T1), commit timestamps of one transaction each (I2), one
// intent a key (I3), versions that never change (I4), records that stay
// decided (I5).
//
// At the end of a run the faults stop, everything is restarted and read, and
// the checker (check.go) replays the committed transactions in the order of
// their timestamps on a plain model. That must reproduce every answer that any
// client got and every version that is left, and keep real-time order; a
// transaction that failed left nothing; one whose client was not told is there
// whole or not at all. The classic workloads have checks of their own beside
// that, which know nothing of the model (direct.go): lists to which is only
// appended, and an order of all who read or wrote them (lists.go, cycle.go);
// accounts whose sum stays (bank.go); pairs of which one is always on, against
// write skew (pairs.go); ranges of which only so many entries may exist, against
// phantoms (rooms.go); marks that random programs leave whole (marks.go). All
// replicas of a shard must apply the same log to its end, have the voters that
// they should have, and hold the same bytes. Another restart, from the log
// alone, must come to the same state.
//
// Failpoints (failpoint.go) are another kind of run: plans made by hand, in which
// one thing goes wrong at one place, the n-th time that it is passed. Places are the
// Points of the product, and those of the replicas' driver (owner.go). The same
// seed without the fault has told how often the place is passed.
//
// # How to read a failing seed
//
// A failure prints the violation with the operations involved, the plan of the
// seed, and the command that shows it again, line by line:
//
//	CAIRN_SIM_SEED=123 go test ./jepsen/sim -run TestSeed -v
//
// Begin with the violation. A timestamp in it is a place in the order of
// commits: search the operations for the ones just before it on the same key.
// "moments" are the order in real time; txn ids name each attempt, session
// before the dot: which session lived in which process is in the trace, as are
// starts, ends and what a crash left. If the trace does not tell enough, add
// calls of world.say where you want to look; what it prints is hashed, but no
// choice depends on it, so the run stays the same one.
//
// First ask whether the simulator itself is wrong. If it is not: fix the bug,
// leave a directed test beside the fix, and keep the seed in its comment.
//
// The seeds of the quick tier are those that fit into its time, from 1;
// CAIRN_SIM_SEED begins elsewhere, CAIRN_SIM_SECONDS gives another time. make
// long-sim runs CAIRN_SIM_SEEDS of them. With the build tag mutants,
// TestMutants plants bugs and says after how many seeds each is found.
package sim
