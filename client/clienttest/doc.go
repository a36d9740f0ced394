// Package clienttest is a gateway in memory, for tests of programs that use
// package client: the same services on a port of its own, strictly
// serializable because it does one thing at a time.
//
// It keeps nothing and expires keys only as time passes. Server.Hook lets a
// test look into every call, hold it up, fail it, or lose its answer.
package clienttest
