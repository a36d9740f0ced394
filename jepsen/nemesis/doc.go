// Package nemesis breaks a cluster of real processes in ways that it must survive.
//
// A Nemesis is one kind of fault, with its number in the matrix of faults, N1 to N22. Begin hurts
// the cluster, Heal undoes it, and Proof shows by what the processes have logged, answered and
// counted, or by what the links have lost, that it happened: a cell whose fault cannot be shown
// proves nothing.
//
// What each may destroy is bounded by what the product promises:
//
//   - Processes die, stop and lose links in any number and combination: nothing acknowledged may
//     be lost. The same holds for power losses, which take only what was never synced.
//   - Clocks may show anything. Only their rate matters, and only to leases: within 1 % each, or
//     2 % between two, any mode must stand it; what is beyond says Reads: "quorum".
//   - A file that is damaged behind a member's back may take back what that member has
//     acknowledged: log entries, its vote. No majority survives that if a second copy is lost with
//     it. So it befalls one member at a time, nothing else goes with it, and not before all others
//     have applied whatever the victim may have voted for. Then the victim is not needed for
//     anything it has forgotten. It must either come back right by the others' help, or end with an
//     error, and is replaced. Tables and MANIFESTs are damaged after a start that has made them.
//
// N21 (splits, moving shards), and of N22 the former version and certificates, are about things
// that do not exist yet. Of N20 there is replacing only: a cluster neither grows nor shrinks.
//
// Start with nemesis.go, then choice.go: who is cut from whom.
package nemesis
