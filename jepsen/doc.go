// Package jepsen tests Cairn from outside: real processes, real faults, the
// public client. It runs transactions against each other that show every anomaly
// there is a name for, it kills gateways in the middle of imports and of transactions,
// and members of clusters in every way that docs/testing.md lists; the simulator
// of whole clusters is in jepsen/sim.
package jepsen
