package remote

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairnkv/cairn/proto/link"
)

// seedsMax is how long the seeds that answer wait for those that do not.
const seedsMax = 500 * time.Millisecond

// identity is the one cluster that a client talks to: that of all the seeds that
// answer at first. Then and later a process of another cluster is turned away,
// whatever it holds: it may have taken the port of a member that is down, and
// would acknowledge our writes.
type identity struct {
	late *time.Timer

	mu      sync.Mutex
	missing int           // seeds that have not answered
	seen    []string      // clusters
	decided chan struct{} // closed once it is known which one it is
}

func newIdentity(seeds int) *identity {
	i := &identity{missing: seeds, decided: make(chan struct{})}
	i.late = time.AfterFunc(seedsMax, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		switch {
		case i.missing == 0: // decided
		case len(i.seen) > 0:
			i.decide()
		default:
			i.missing = 1 // whoever comes first
		}
	})
	return i
}

// decide ends the collection of seen, of which there must be one. The caller
// holds the lock.
func (i *identity) decide() {
	i.missing = 0
	close(i.decided)
}

// meet returns why who must not be talked to.
func (i *identity) meet(ctx context.Context, who link.Identity) error {
	if who.ClusterID == "" {
		return nil // it belongs to none yet, and answers nothing
	}
	i.mu.Lock()
	if i.missing > 0 && !slices.Contains(i.seen, who.ClusterID) {
		i.seen = append(i.seen, who.ClusterID)
	}
	switch i.missing {
	case 0:
	case 1:
		i.decide()
	default:
		i.missing--
	}
	i.mu.Unlock()
	select {
	case <-i.decided:
	case <-ctx.Done():
		return ctx.Err()
	}
	if len(i.seen) == 1 && i.seen[0] == who.ClusterID {
		return nil
	}
	ours := make([]string, len(i.seen))
	for n, cluster := range i.seen {
		ours[n] = strconv.Quote(cluster)
	}
	return &link.Mismatch{What: "cluster", Ours: strings.Join(ours, " and "),
		Theirs: strconv.Quote(who.ClusterID)}
}
