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
)
