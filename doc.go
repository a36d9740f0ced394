// Package cairn is the root of Cairn, a distributed, transactional, multi-version key/value
// store. A cairn is a stack of stones left as a mark for those who come later: every key is a
// stack of versions.
//
// There is no code here, only the tests that hold all other packages to the limits of the house
// style (tidy_test.go) and to who may import whom (imports_test.go). Programs talk to a cluster
// through package client; the commands are below cmd.
package cairn
