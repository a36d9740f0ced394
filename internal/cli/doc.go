// Package cli is the command line of Cairn: it turns words into calls of
// package client, and answers into lines, JSON and exit codes.
//
// Data goes to standard output, everything else to standard error. Main holds
// all that a command touches of the process, so that tests run whole command
// lines inside their own.
//
// Start with main.go, then set.go (a command with free words) and import.go.
package cli
