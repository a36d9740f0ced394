// Package load lets many callers do the same operation, one after the other or
// at given moments, and measures how long each takes. It knows no system: what
// an operation does is a function.
//
// In a closed loop a caller begins when its last operation has ended, so a
// system that is slow is asked less. In an open loop operations have intended
// starts, and what they wait for a free caller counts.
//
// A caller of a closed loop whose operations fail pauses before the next one: 0.1 ms, then twice as
// long each time up to 10 ms, until one ends well. Errors a second are therefore bounded; they are
// no measure of anything.
//
// An operation counts if it ends between the warm-up and the end. In an open
// loop those that were due and have not ended count as what they had waited by
// then, so that a system that falls behind does not look better than it is.
//
// Start reading at measure.go.
package load
