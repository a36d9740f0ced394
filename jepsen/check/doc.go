// Package check judges histories. A checker knows what must hold of what
// clients were told, and names what does not.
//
// Checkers trust nothing that the store says of itself, with one exception that
// is named after it: replay believes the timestamps that clients were told, and
// finds out whether they explain everything.
//
// A checker that accepts everything finds nothing. So each has histories under
// controls that it must refuse, and some that it must not; Controls runs them,
// and every run of package jepsen begins with it.
package check
