// Package meta is the state machine of the meta group: how far the timestamp
// oracle may go, the sessions of gateways, some of which are leases, the list of members, and the
// table of keyspaces. Descriptors join it when they can change.
//
// State applies commands; Oracle hands out timestamps from the window that the
// log has granted. Both are driven by shard.Replica. The rules are T1, T2 and
// T7 of docs/transactions.md.
package meta
