package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairnkv/cairn/coordinator"
)

// plan is what a seed chose before anything runs: machines, keys, workloads
// and faults. Each seed takes some of all that there is (a swarm).
type plan struct {
	seed          uint64
	shape         string
	nodes         []nodePlan
	keys          []string // of the users
	classics      *classics
	cuts          []string // where a data shard ends and the next begins
	shards        int      // of data
	homes         []int    // node of each data shard, in the shapes without groups
	grouped       bool     // every member has a replica of every shard
	clients       int
	active        time.Duration // how long clients begin new operations
	think         time.Duration // the longest pause of a client
	mix           []workload    // what clients choose from, with repetition
	hot           bool          // all clients want the same few keys at once
	big           bool          // some values are large, so that logs are truncated
	switchMax     time.Duration // how late a task may start
	drainMax      time.Duration // how long several steps of a replica are taken together
	hopMax        time.Duration // a message's usual way
	callTimeout   time.Duration
	flush         float64 // how likely the state engine is flushed when the member looks
	cacheSlots    int
	quorum        bool  // reads never use the lease
	truncate      int64 // how much a log grows before it is truncated; 0: the default
	keep          int64 // of it for replicas that lag
	backgroundMax int
	commit        coordinator.CommitMode
	pessimistic   float64       // of the interactive transactions
	retention     time.Duration // of decided records; 0: the default
	lockEvery     time.Duration // mean time between two lockers; 0: there are none
	faults        faults
	patient       bool         // clients never give up: no deadlines, cancels, rollbacks
	stage         func(*world) // what happens besides; nil: nothing
}

type nodePlan struct {
	member, gateway bool
}

func newPlan(seed uint64) *plan {
	c := newChance(seed ^ 0x9e3779b97f4a7c15)
	p := &plan{
		seed: seed, clients: c.number(2, 6),
		active:    c.between(2*time.Second, 8*time.Second),
		switchMax: pick(c, []time.Duration{0, 20 * time.Microsecond, time.Millisecond}),
		drainMax:  pick(c, []time.Duration{0, 300 * time.Microsecond, 4 * time.Millisecond}),
		hopMax: pick(c, []time.Duration{100 * time.Microsecond, time.Millisecond,
			5 * time.Millisecond}),
		flush: pick(c, []float64{0.01, 0.1, 0.5}),
		// Few slots: keys share them.
		cacheSlots:    pick(c, []int{1, 16, 1024}),
		backgroundMax: pick(c, []int{1, 4, 256}),
		callTimeout:   pick(c, []time.Duration{500 * time.Millisecond, 3 * time.Second}),
		big:           c.oneIn(10),
	}
	p.think = p.active / time.Duration(c.number(8, 40))
	p.planNodes(c)
	p.hot = c.oneIn(5)
	p.planKeys(c)
	p.planMix(c)
	p.planFaults(c)
	if c.oneIn(8) {
		p.active, p.faults.crashEvery = c.between(8*time.Second, 12*time.Second), 0
	}
	if p.hot {
		p.clients = c.number(5, 9)
		p.active = c.between(time.Second, 3*time.Second)
		p.think = p.active / time.Duration(c.number(40, 80))
	}
	if p.grouped {
		p.planGroupFaults(c)
	}
	if c.oneIn(2) {
		p.commit = coordinator.Parallel
	}
	if c.oneIn(5) {
		p.lockEvery = pick(c, []time.Duration{100 * time.Millisecond, 500 * time.Millisecond})
	}
	p.pessimistic = pick(c, []float64{0, 0.3, 1})
	if c.oneIn(2) {
		p.retention = pick(c, []time.Duration{time.Microsecond, 200 * time.Millisecond, 2 * time.Second})
	}
	p.planRequests()
	return p
}

// The shapes of an installation.
const (
	shapeEmbedded = "embedded" // the default: one process
	shapeSecond   = "embedded and a second member"
	shapeGateways = "embedded and gateways"
	shapeApart    = "apart"
	shapeThree    = "three members"
	shapeFive     = "five members"
)

var shapes = []string{shapeEmbedded, shapeSecond, shapeGateways, shapeApart, shapeThree, shapeFive}

// planNodes takes a group of several members two times in three.
func (p *plan) planNodes(c chance) {
	switch n := c.IntN(60); {
	case n >= 32:
		p.planGroup(c, shapeThree, 3)
	case n >= 20:
		p.planGroup(c, shapeFive, 5)
	case n < 9:
		p.shape = shapeEmbedded
		p.nodes = []nodePlan{{member: true, gateway: true}}
	case n < 11:
		p.shape = shapeSecond
		p.nodes = []nodePlan{{member: true, gateway: true}, {member: true}}
	case n < 13:
		p.shape = shapeGateways
		p.nodes = []nodePlan{{member: true, gateway: true}}
		p.addGateways(c.number(1, 2))
	default:
		p.shape = shapeApart
		p.nodes = []nodePlan{{member: true}}
		if c.oneIn(2) {
			p.nodes = append(p.nodes, nodePlan{member: true})
		}
		p.addGateways(c.number(1, 3))
	}
}

// planGroup has members of whom each has a replica of every shard.
func (p *plan) planGroup(c chance, shape string, members int) {
	p.shape, p.grouped = shape, true
	for range members {
		p.nodes = append(p.nodes, nodePlan{member: true})
	}
	p.addGateways(2)
	p.quorum = c.oneIn(6)
	if !c.oneIn(3) {
		p.truncate = int64(c.number(1, 16) << 10)
		p.keep = p.truncate * int64(c.number(1, 3))
	}
}

func (p *plan) addGateways(n int) {
	for range n {
		p.nodes = append(p.nodes, nodePlan{gateway: true})
	}
}

func (p *plan) members() int {
	n := 0
	for _, node := range p.nodes {
		if node.member {
			n++
		}
	}
	return n
}

func (p *plan) gateways() int {
	n := 0
	for _, node := range p.nodes {
		if node.gateway {
			n++
		}
	}
	return n
}

func (p *plan) planKeys(c chance) {
	keys := c.number(3, 16)
	if p.hot {
		keys = c.number(2, 3)
	}
	for i := range keys {
		p.keys = append(p.keys, fmt.Sprintf("k%02d", i))
	}
	p.classics = newClassics(c, p.hot)
	p.shards = c.number(2, 5)
	if p.grouped {
		p.shards = c.number(1, 3)
	}
	for len(p.cuts) < p.shards-1 {
		// Between two keys, or before all, or after all: a shard may be empty.
		cut := fmt.Sprintf("k%02d", c.IntN(len(p.keys)+1))
		if c.oneIn(2) {
			cut = pick(c, classicCuts)
		}
		if len(p.cuts) > len(p.keys) || slices.Contains(p.cuts, cut) {
			cut += fmt.Sprintf("-%d", len(p.cuts))
		}
		p.cuts = append(p.cuts, cut)
	}
	slices.Sort(p.cuts)
	for range p.shards {
		p.homes = append(p.homes, c.IntN(p.members()))
	}
}

func (p *plan) planMix(c chance) {
	all := workloads()
	readers := 4
	if c.oneIn(6) {
		readers = 40 // logs stand still, leases are in use
	}
	share := 2 // one in so many
	if p.hot && c.oneIn(2) {
		share = 6 // hardly more than one
	}
	for len(p.mix) == 0 {
		for _, w := range all {
			if c.oneIn(share) {
				most := 4
				if w.reads {
					most = readers
				}
				for range c.number(1, most) {
					p.mix = append(p.mix, w)
				}
			}
		}
	}
}

// String is one line about the plan.
func (p *plan) String() string {
	var mix []string
	for _, w := range p.mix {
		if !slices.Contains(mix, w.name) {
			mix = append(mix, w.name)
		}
	}
	mode := [...]string{coordinator.TwoPhase: "2pc", coordinator.Parallel: "parallel"}[p.commit]
	return fmt.Sprintf("%s: commit by %s, %d members, %d gateways, %d keys cut at %q, "+
		"%d clients for %v: %s; lockers every %v; %+v",
		p.shape, mode, p.members(), p.gateways(), len(p.keys), p.cuts, p.clients, p.active,
		strings.Join(mix, ", "), p.lockEvery, p.faults)
}
