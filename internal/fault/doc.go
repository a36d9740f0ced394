// Package fault breaks the clock, the disk and the links of the process that it is in, for tests
// of whole clusters (docs/testing.md, "The debug build").
//
// All here is ordinary code without build tags. What puts it into a process are the files
// *_faults.go of internal/env, proto/transport and internal/run, which the tag `faults` selects:
// no other build refers to it, so there is nothing of it in the programs that are released.
//
// Command is what a process is told on a unix socket, State what it answers, Ask the other end of
// that socket. Drift is a clock that goes wrong, Control carries commands out. The disk is in
// fault/disk, since only members may have storage in them.
package fault
