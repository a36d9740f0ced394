// Package conformance is what every way into Cairn must do: one table of cases
// (cases/*.txt), each a few steps in neutral words with the answer that is due.
//
// The package itself reads the cases and says what a step is for each way in:
// a message of the RPC services, an HTTP request, a command line, a line of
// Go. It talks to nobody. The tests beside it send these to servers and compare the
// answers; conformance/reference makes docs/reference of them.
//
// A case is
//
//	case set-nx traps 7
//	  Under nx a set writes only if the key is missing.
//	  set k "a" nx => set r0
//	  set k "b" nx => not r0
//	  get k => found r0 "a"
//
// Each step is an operation with its arguments and, behind =>, what must be in
// the answer. Keys are put into a space of the case's own, so that all cases
// can run at once on one server. Start with step.go for the words, then with
// cases/set.txt.
package conformance
