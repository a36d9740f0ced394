// Package cell runs cells: one cluster of real processes, one workload on it,
// and some rounds of faults, one or two at once, after which the cluster has to
// heal. Then the history goes through every checker that fits the workload.
//
// A cell passes only if all checkers accept, every fault is proven to have
// happened, commits came again within the objective of each fault, no process
// ended by itself, and reads have seen what was written. One with too few
// committed operations is void: it proves nothing, either way.
//
// plan.go says what a cell is, matrix.go which ones there are, run.go how one
// runs, judge.go what its verdict rests on, report.go how all are told.
package cell
