// Package release says which release of Cairn this source is.
package release

// Version is written into new data directories, shown by status, and printed
// by every program.
const Version = "0.1.0"
