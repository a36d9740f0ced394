// Package jepsen tests Cairn from outside: real processes, real faults, the
// public client. It runs transactions against each other in which every anomaly
// that has a name would show, kills gateways in the middle of imports and of
// transactions, and members of clusters in every way that docs/testing.md lists;
// the simulator of whole clusters is in jepsen/sim.
package jepsen
