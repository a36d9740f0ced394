// Package peer makes a driver.System of what a store can do. It has what is the same for every
// peer: the keys, what is in them before a run, and how a caller goes about a workload.
//
// Keys are of 16 bytes. Half of them hold values that a workload puts and gets; those of
// transactions are others, and their values begin with a number, so that what a transfer takes
// from one account is in another one.
package peer
