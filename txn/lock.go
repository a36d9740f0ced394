package txn

// LockMode is how much a lock keeps others out. The numbers cross the wire.
type LockMode uint8

const (
	// LockShared is for who only reads: others may share, and one may update.
	LockShared LockMode = iota
	// LockUpdate is for who reads and may write later: one at a time, beside
	// shared ones. Two that read first and write later would wound each other
	// if both began with shared locks.
	LockUpdate
	// LockExclusive is for who writes: nobody else has any lock.
	LockExclusive
	lockModeEnd
)

// LockModes is how many modes there are.
const LockModes = int(lockModeEnd)

// Valid reports whether this release knows m.
func (m LockMode) Valid() bool { return m < lockModeEnd }

var lockModeNames = [...]string{"shared", "update", "exclusive"}

func (m LockMode) String() string {
	if m.Valid() {
		return lockModeNames[m]
	}
	return "unknown"
}

// Conflicts reports whether locks of both modes cannot be held side by side by
// two transactions. Each mode conflicts with all that the weaker ones do.
func (m LockMode) Conflicts(o LockMode) bool { return m+o >= LockExclusive }
