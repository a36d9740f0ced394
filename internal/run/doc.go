// Package run wires the programs of Cairn: flags, components, signals and
// exit codes. It holds no logic of its own.
//
// Gateway is the whole program behind cmd/gateway: a test starts it in process
// just as main does.
package run
