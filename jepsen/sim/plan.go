package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// plan is what a seed chose before anything runs: machines, keys, workloads
// and faults. Each seed takes some of all that there is (a swarm).
type plan struct {
	seed          uint64
	shape         string
	nodes         []nodePlan
	keys          []string // of the users
	cuts          []string // where a data shard ends and the next begins
	homes         []int    // node of each data shard
	clients       int
	active        time.Duration // how long clients begin new operations
	think         time.Duration // the longest pause of a client
	mix           []workload    // what clients choose from, with repetition
	big           bool          // some values are large, so that logs are truncated
	switchMax     time.Duration // how late a task may start
	hopMax        time.Duration // a message's usual way
	callTimeout   time.Duration
	flush         float64 // how likely the state engine is flushed when the member looks
	cacheSlots    int
	backgroundMax int
	faults        faults
}

type nodePlan struct {
	member, gateway bool
}

// faults in force. Zero values hurt nobody. Every is the mean time between
// two of a kind.
type faults struct {
	drop, duplicate, late float64 // of each message
	lateMax               time.Duration
	point, pointCrash     float64 // of each Point
	pointMax              time.Duration
	syncMax               time.Duration
	slowMax               time.Duration // added while a disk is slow
	downMax               time.Duration
	powerLoss             float64 // of each crash
	crashEvery            time.Duration
	pauseEvery, pauseMax  time.Duration
	cutEvery, cutMax      time.Duration
	slowEvery, fullEvery  time.Duration
	skewEvery             time.Duration
	skewMax               time.Duration
}

// calm is a world in which everything works.
func calm() faults {
	return faults{syncMax: 2 * time.Millisecond, downMax: 50 * time.Millisecond}
}

func newPlan(seed uint64) *plan {
	c := newChance(seed ^ 0x9e3779b97f4a7c15)
	p := &plan{
		seed: seed, clients: c.number(2, 6),
		active:    c.between(2*time.Second, 8*time.Second),
		switchMax: pick(c, []time.Duration{0, 20 * time.Microsecond, time.Millisecond}),
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
	p.planKeys(c)
	p.planMix(c)
	p.planFaults(c)
	return p
}

// The shapes of an installation.
const (
	shapeEmbedded = "embedded" // the default: one process
	shapeSecond   = "embedded and a second member"
	shapeGateways = "embedded and gateways"
	shapeApart    = "apart"
)

var shapes = []string{shapeEmbedded, shapeSecond, shapeGateways, shapeApart}

func (p *plan) planNodes(c chance) {
	switch n := c.IntN(20); {
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
	for i := range c.number(3, 16) {
		p.keys = append(p.keys, fmt.Sprintf("k%02d", i))
	}
	shards := c.number(2, 5)
	for len(p.cuts) < shards-1 {
		// Between two keys, or before all, or after all: a shard may be empty.
		cut := fmt.Sprintf("k%02d", c.IntN(len(p.keys)+1))
		if len(p.cuts) > len(p.keys) || slices.Contains(p.cuts, cut) {
			cut += fmt.Sprintf("-%d", len(p.cuts))
		}
		p.cuts = append(p.cuts, cut)
	}
	slices.Sort(p.cuts)
	for range shards {
		p.homes = append(p.homes, c.IntN(p.members()))
	}
}

func (p *plan) planMix(c chance) {
	all := workloads()
	for len(p.mix) == 0 {
		for _, w := range all {
			if c.oneIn(2) {
				for range c.number(1, 4) {
					p.mix = append(p.mix, w)
				}
			}
		}
	}
}

func (p *plan) planFaults(c chance) {
	f := calm()
	f.syncMax = pick(c, []time.Duration{100 * time.Microsecond, 2 * time.Millisecond,
		10 * time.Millisecond})
	f.downMax = pick(c, []time.Duration{20 * time.Millisecond, 300 * time.Millisecond,
		3 * time.Second})
	f.powerLoss = pick(c, []float64{0, 0.5, 1})
	some := c.oneIn
	if !some(4) {
		f.crashEvery = c.between(300*time.Millisecond, 4*time.Second)
	}
	if some(3) {
		f.pointCrash = pick(c, []float64{0.0005, 0.003})
	}
	if some(2) {
		f.point = pick(c, []float64{0.02, 0.1, 0.5})
		f.pointMax = pick(c, []time.Duration{time.Millisecond, 20 * time.Millisecond,
			400 * time.Millisecond})
	}
	if some(3) {
		f.pauseEvery = c.between(500*time.Millisecond, 4*time.Second)
		f.pauseMax = pick(c, []time.Duration{50 * time.Millisecond, time.Second, 7 * time.Second})
	}
	if some(3) {
		f.slowEvery = c.between(500*time.Millisecond, 3*time.Second)
		f.slowMax = pick(c, []time.Duration{20 * time.Millisecond, 500 * time.Millisecond})
	}
	if some(8) {
		f.fullEvery = c.between(500*time.Millisecond, 3*time.Second)
	}
	if some(3) {
		f.skewEvery = c.between(300*time.Millisecond, 3*time.Second)
		// Less than half of what a member lets a read lie ahead of its clock.
		f.skewMax = pick(c, []time.Duration{10 * time.Millisecond, 4 * time.Second})
	}
	if some(2) {
		f.drop = pick(c, []float64{0.002, 0.02, 0.1})
	}
	if some(2) {
		f.duplicate = pick(c, []float64{0.01, 0.1, 0.4})
	}
	if some(2) {
		// Half of the copies are late. Over 5 s they are too old to be served.
		f.late = pick(c, []float64{0, 0.01, 0.1})
		f.lateMax = pick(c, []time.Duration{10 * time.Millisecond, 500 * time.Millisecond,
			3 * time.Second, 12 * time.Second})
	}
	if some(3) {
		f.cutEvery = c.between(500*time.Millisecond, 4*time.Second)
		f.cutMax = pick(c, []time.Duration{100 * time.Millisecond, 2 * time.Second})
	}
	p.faults = f
}

// String is one line about the plan.
func (p *plan) String() string {
	var mix []string
	for _, w := range p.mix {
		if !slices.Contains(mix, w.name) {
			mix = append(mix, w.name)
		}
	}
	return fmt.Sprintf("%s: %d members, %d gateways, %d keys cut at %q, %d clients for %v: %s; %+v",
		p.shape, p.members(), p.gateways(), len(p.keys), p.cuts, p.clients, p.active,
		strings.Join(mix, ", "), p.faults)
}

// build puts up the machines of the plan.
func (w *world) build() error {
	p := w.plan
	for i, np := range p.nodes {
		n := &node{w: w, id: i, name: fmt.Sprintf("n%d", i), gateway: np.gateway,
			sole: np.gateway && np.member && p.gateways() == 1}
		w.nodes = append(w.nodes, n)
	}
	none := txn.NewKey(txn.SystemKeyspace, nil)
	w.host(0, shardrpc.Route{Shard: shardrpc.MetaShard, Epoch: 1,
		Span: txn.Span{Start: none, End: none}})
	var start txn.Key
	for i, home := range p.homes {
		var end txn.Key
		if i < len(p.cuts) {
			end = userKey(p.cuts[i])
		}
		route := shardrpc.Route{Shard: shardrpc.ShardID(i + 2), Epoch: 1,
			Span: txn.Span{Start: start, End: end}}
		w.routes = append(w.routes, route)
		w.host(home, route)
		start = end
	}
	for _, n := range w.nodes {
		if len(n.hosts) == 0 {
			continue
		}
		if err := n.bootstrap(); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) host(node int, route shardrpc.Route) {
	n := w.nodes[node]
	n.hosts = append(n.hosts, route)
	w.homes[route.Shard] = n
}

func userKey(s string) txn.Key { return txn.NewKey(txn.DefaultKeyspace, []byte(s)) }
