// Package cycle checks transactions on lists and registers. It infers from the
// values alone who must have come before whom, and looks for cycles; what the
// store says of its own order it does not read. Histories without an anomaly are
// not proven to be strictly serializable, but what is reported here no strictly
// serializable history can have.
//
// The names are those of A. Adya, "Weak Consistency" (thesis, MIT 1999), and of
// P. Alvaro and K. Kingsbury, "Elle: Inferring Isolation Anomalies from
// Experimental Observations" (VLDB 2020), whose idea this is. Package depend has
// the cycles, from G0 to G2-item. Without a cycle there are
//
//	G1a                 something was read that failed
//	G1b                 something was read that its transaction overwrote
//	dirty-update        something was built on what failed
//	lost-update         two read the same, and both replaced it
//	lost-append         nobody read it, although somebody began to read later
//	internal            a transaction contradicts itself
//	incompatible-order  two reads of a list, neither of which begins with the other
//	duplicate-elements  a list has something twice
//	garbage-read        something was read that nobody wrote
//	written-twice       two operations append the same, or write the same where that is
//	                    promised not to be (Unique): the workload is wrong, or who says so
//
// Lists grow by appends alone, and no two appends to a key are the same; so
// their longest read is their order. Of registers a value that several may have
// written tells nothing, and who wrote or read it is judged by the rest of what he
// did; Reached says how much that is. The order of what a register was is inferred
// from who replaced what it had read, and beyond that from processes and from real
// time, because the store claims to be strict; what rests on that has -process or
// -realtime in its name. Keys may be deleted and inserted; then a read that finds
// nothing says little, because nobody knows which deletion it saw. What a scan
// found is so many reads, and what it did not find is for others to judge: they
// know its range.
//
// An operation must say what it writes, and one without an end at its invocation:
// what is unknown of it is whether it happened, not what it was. Else what it
// wrote is taken for garbage when it is read.
//
// Start with check.go; lists.go and registers.go are about what was read,
// versions.go about the order of registers, orders.go about processes and time.
package cycle
