// Package demo runs a whole cluster on one machine to play with: members and
// gateways as real processes on loopback, made by the program's own hidden
// commands, with their data in one directory.
//
// It knows of the cluster what anyone can: command lines, /readyz and process
// ids. A child that dies stays dead until somebody types restart, since to see
// what the others do meanwhile is what the demo is for. When the demo ends, so
// do its children: gateways first, then all members at once, by force if they
// take too long. Should the demo itself be killed, Linux kills them.
package demo
