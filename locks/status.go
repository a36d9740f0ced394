package locks

import (
	"fmt"

	"github.com/cairnkv/cairn/txn"
)

// StatusMax bounds a StatusCache: 2^14 outcomes, about 1 MiB. An outcome is
// wanted for the milliseconds until its intents are resolved; one that was
// pushed out is asked for at the primary.
const StatusMax = 1 << 14

// StatusCache remembers how transactions ended whose intents may still be met:
// committed at C, or aborted. The one used least recently goes first.
// Single-owner.
//
// GONE ("nothing is left that could tell") is no outcome and cannot be put
// here: rule A13 forbids to take it for aborted later.
type StatusCache struct {
	at    map[txn.ID]int32
	nodes []statusNode // nodes[0] is the ring's anchor: next is newest, prev oldest
	max   int
}

type statusNode struct {
	id         txn.ID
	commit     txn.Timestamp // 0: aborted
	next, prev int32
}

// NewStatusCache makes an empty cache of StatusMax outcomes.
func NewStatusCache() *StatusCache { return newStatusCache(StatusMax) }

func newStatusCache(max int) *StatusCache {
	return &StatusCache{at: make(map[txn.ID]int32), nodes: make([]statusNode, 1), max: max}
}

// Put keeps the outcome of id: txn.Committed with its commit timestamp, or
// txn.Aborted with 0. An outcome is for ever (I5): anything else, or another
// outcome than the one that is kept, panics.
func (c *StatusCache) Put(id txn.ID, status txn.Status, commit txn.Timestamp) {
	if !status.Final() || (status == txn.Committed) != (commit > 0) {
		panic(fmt.Sprintf("locks: outcome of %v: %v at %d", id, status, commit))
	}
	if i, ok := c.at[id]; ok {
		if old := c.nodes[i].commit; old != commit {
			panic(fmt.Sprintf("locks: outcome of %v: commit timestamp %d, then %d", id, old, commit))
		}
		c.touch(i)
		return
	}
	var i int32
	if len(c.nodes) <= c.max {
		i = int32(len(c.nodes))
		c.nodes = append(c.nodes, statusNode{})
	} else {
		i = c.nodes[0].prev
		c.unlink(i)
		delete(c.at, c.nodes[i].id)
	}
	c.nodes[i].id, c.nodes[i].commit = id, commit
	c.at[id] = i
	c.linkNewest(i)
}

// Get is the outcome of id: txn.Committed with its commit timestamp, or
// txn.Aborted. Known is false if the cache cannot tell, which says nothing
// about the transaction.
func (c *StatusCache) Get(id txn.ID) (status txn.Status, commit txn.Timestamp, known bool) {
	i, ok := c.at[id]
	if !ok {
		return 0, 0, false
	}
	c.touch(i)
	if commit = c.nodes[i].commit; commit == 0 {
		return txn.Aborted, 0, true
	}
	return txn.Committed, commit, true
}

func (c *StatusCache) touch(i int32) {
	c.unlink(i)
	c.linkNewest(i)
}

func (c *StatusCache) unlink(i int32) {
	n := c.nodes[i]
	c.nodes[n.prev].next = n.next
	c.nodes[n.next].prev = n.prev
}

func (c *StatusCache) linkNewest(i int32) {
	first := c.nodes[0].next
	c.nodes[i].prev, c.nodes[i].next = 0, first
	c.nodes[first].prev = i
	c.nodes[0].next = i
}
