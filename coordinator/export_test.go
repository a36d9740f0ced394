package coordinator

// WriteOps lets the tests compare both ways of a write.
var WriteOps = writeOps
