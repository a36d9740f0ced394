// Command jepsen tests Cairn from outside: real processes, real faults, the
// public client.
//
//	go run ./jepsen                  the first cells of the matrix, for two minutes
//	go run ./jepsen --list           workloads, nemeses, cells
//	go run ./jepsen --cell 7         one of them
//	go run ./jepsen --workload bank --faults kill-leader,delay+pause-leader
//	go run ./jepsen --matrix --report docs/jepsen.md    all of them
//	go run ./jepsen --mutants        shows that planted bugs are found
//
// A cell (package cell) is a cluster of a debug build (packages cluster and
// internal/fault), a workload on it (workload), rounds of faults (nemesis), and
// checkers of what clients were told (history, check). Each leaves a directory:
// history.jsonl, verdict.txt and verdict.json, the logs of all processes,
// timeline.svg, and the command that runs it again.
//
// The tests beside it run transactions against each other in which every anomaly
// that has a name would show, kill gateways in the middle of imports and of
// transactions, and members of clusters in every way that docs/testing.md lists.
// The simulator of whole clusters is in jepsen/sim.
package main
