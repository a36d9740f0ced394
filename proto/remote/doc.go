// Package remote reaches the members of a cluster over links: what a
// coordinator calls, and what a gateway needs besides.
//
// Client sends every request once, to the member that leads the shard as far as
// is known. Only after the answer that another member leads it, which proves
// that nothing was done, does the same call go on to that one. An error that
// says that no answer came is none of package txn: it tells nothing about the
// outcome, and only the coordinator knows what that means for the call at hand.
//
// A member that was silent is not asked again before it has answered a check,
// which goes on beside the calls. So a dead or paused leader holds up the calls
// that were on their way to it, and none that come after.
//
// Start with leaders.go, which holds what is known, then call.go; shards.go is
// the coordinator's part.
package remote
