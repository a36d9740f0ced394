// Package cairn has Cairn measured: it starts the programs that a user would
// start, or takes a cluster that runs already, and does the workloads through
// package client, as a user's program would.
//
// The programs have their defaults, and the environment of this process:
// GOMAXPROCS among it. Everything is written as durably as in production.
//
// Start with system.go; workloads.go lists what can be measured.
package cairn
