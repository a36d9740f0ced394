// Package history is what clients did and what they were told: the record that
// checkers judge. It is written while a run goes on, one JSON object a line, in
// the order of real time, and can be read by others (Elle's format for lists
// and registers):
//
//	{"process":0,"type":"invoke","f":"txn","value":[["append","x",1],["r","y",null]]}
//	{"process":0,"type":"ok","f":"txn","value":[["append","x",1],["r","y",[3,5]]]}
//
// A process has at most one operation open. "fail" is an operation that surely
// did nothing; "info" one whose outcome nobody knows, after which its process
// does nothing any more: its client goes on under another number.
//
// Start with event.go (a line) and op.go (an operation, as checkers see it).
package history
