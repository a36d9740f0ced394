package workload

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cairnkv/cairn/jepsen/history"
)

// Workload is one of the loads.
type Workload struct {
	Name, Number, What string
	// Model is what $ISOLATION_CHECKER is to take the history for; empty: nothing that it knows.
	Model string

	begin func(clients int) source
}

// source makes the plans of a load. Its methods are called by all workers at once.
type source interface {
	// initial is what there is at first.
	initial() (layout, []history.Mop)
	next(r *rand.Rand, client int) *plan
	// final reads all that was ever there.
	final() []*plan
}

// All are the workloads in the order of their numbers.
func All() []Workload {
	return []Workload{
		{"list-append", "W1", "transactions over lists on all shards", "list-append", newLists},
		{"predicate", "W2", "scans of ranges, with inserts and deletes in them", "predicate", newRanges},
		{"bank", "W3", "transfers and increments that leave the sum as it is", "", newBank},
		{"set", "W4", "keys that are inserted once, and scans of all of them", "", newSet},
		{"register", "W5", "reads, writes and compare-and-set of hot keys", "rw-register", newRegisters},
		{"monotonic", "W6", "registers that are counted up", "", newCounters},
		{"causal-reverse", "W6", "inserts one after another, and scans of all", "", newComments},
	}
}

// ByName finds a workload by its name.
func ByName(name string) (Workload, bool) {
	all := All()
	i := slices.IndexFunc(all, func(w Workload) bool { return w.Name == name })
	if i < 0 {
		return Workload{}, false
	}
	return all[i], true
}

// Options are fixed for the life of a Load.
type Options struct {
	Endpoints []string          // of the gateways, g1 first; required
	Recorder  *history.Recorder // required
	Clients   int               // 0 = 12
	Seed      uint64            // of what clients do, not of when
	Think     time.Duration     // a client waits up to twice as long between operations; 0 = 10 ms
	CallMax   time.Duration     // an operation is given up after that; 0 = 5 s
}

const (
	clientsDefault = 12
	thinkDefault   = 10 * time.Millisecond
	callMaxDefault = 5 * time.Second
)

func (o *Options) setDefaults() {
	if o.Clients == 0 {
		o.Clients = clientsDefault
	}
	if o.Think == 0 {
		o.Think = thinkDefault
	}
	if o.CallMax == 0 {
		o.CallMax = callMaxDefault
	}
}

func (o *Options) validate() error {
	var errs []error
	if len(o.Endpoints) == 0 {
		errs = append(errs, errors.New("Endpoints are required"))
	}
	if o.Recorder == nil {
		errs = append(errs, errors.New("a Recorder is required"))
	}
	if o.Clients < 0 {
		errs = append(errs, fmt.Errorf("Clients is %d", o.Clients))
	}
	if o.Think < 0 {
		errs = append(errs, fmt.Errorf("Think is %v", o.Think))
	}
	if o.CallMax < 0 {
		errs = append(errs, fmt.Errorf("CallMax is %v", o.CallMax))
	}
	return errors.Join(errs...)
}
