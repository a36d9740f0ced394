package driver

import (
	"context"

	"github.com/cairnkv/cairn/bench/load"
)

// System is one that can be measured. It has been started.
type System interface {
	// Prepare makes the keys that a run needs, and the operation that it measures. Release frees
	// what the operation has taken.
	Prepare(ctx context.Context, r load.Run) (op load.Op, release func(), err error)
	// Processes are those that serve, for what they use: their role and name by process id. A
	// system within the process that makes the load may name that one, too.
	Processes() map[int]load.Usage
	// Close is called once, by Serve.
	Close() error
}
