// Package jepsen tests Cairn from outside: real processes, real faults, the
// public client. So far it kills the gateway in the middle of an import; the
// simulator of whole clusters is in jepsen/sim.
package jepsen
