// Package driver is how the harness has a system measured by a process of its
// own, so that every system is under the same load generator and none shares a
// heap with another: JSON lines on standard input and output.
//
// The process that drives calls Serve once its system has been started. It says
// that it is ready, then answers each run with a result or an error, one at a
// time. When its input ends, a run that is under way is given up and the system
// closed: so nothing is left over however the harness ends.
//
// What processes use is read from /proc when what counts begins and when it has
// ended; what memory they take, and how large their data is, also every second
// between. Start reading at serve.go, and for the harness' side at parent.go.
package driver
