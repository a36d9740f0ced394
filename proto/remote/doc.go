// Package remote reaches a member over a link: what a coordinator calls, and
// what a gateway needs besides.
//
// Client sends every request once. An error that says that no answer came is
// none of package txn: it tells nothing about the outcome, and only the
// coordinator knows what that means for the call at hand.
//
// Start with client.go; shards.go is the coordinator's part.
package remote
