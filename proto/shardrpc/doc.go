// Package shardrpc is what gateways and members say to each other: the
// requests and answers of the transaction protocol (docs/transactions.md).
//
// Encode and Decode are the wire form of every message, Method its number on a
// link (package link). Requests are sent again byte for byte when their answer
// is lost, so a sender never changes one after the first send, and a receiver
// never keeps part of one without copying it.
//
// Start with Answer: it is what a coordinator may conclude.
package shardrpc
