// Package depend holds a graph of transactions, of which some must come before
// others, and finds cycles in it: there, no order explains everything.
//
// A cycle is named by the dependencies that it is made of, after A. Adya, "Weak
// Consistency" (thesis, MIT 1999), and P. Alvaro and K. Kingsbury, "Elle:
// Inferring Isolation Anomalies from Experimental Observations" (VLDB 2020):
//
//	G0             writes alone
//	G1c            writes and who read them
//	G-single       one anti-dependency: a read that somebody overwrote
//	G-nonadjacent  several of them, never two in a row
//	G2-item        two in a row somewhere
//
// A cycle that needs the order within a process has "-process" behind its name,
// one that needs real time "-realtime".
//
// The package knows nothing of keys and values: who adds an edge keeps the
// reason. Start with graph.go (what there is) and find.go (what is looked for).
package depend
