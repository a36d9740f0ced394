package sim

import (
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/coordinator"
)

// scenario is a small plan without faults but its own, made to come by certain sites.
type scenario struct {
	name   string
	commit coordinator.CommitMode
	mix    []string // of workloads
	plan   func(*plan)
	also   []failpoint // what goes wrong besides
}

// scenarios are those of both ways to commit.
func scenarios() []scenario {
	var all []scenario
	for _, s := range scenes() {
		two := s
		two.name, two.commit = two.name+", 2pc", coordinator.TwoPhase
		s.name, s.commit = s.name+", parallel", coordinator.Parallel
		all = append(all, two, s)
	}
	return all
}

func scenes() []scenario {
	return []scenario{
		{name: "one shard", mix: []string{"set", "program", "get", "scan"},
			plan: func(p *plan) { p.cuts, p.shards = nil, 1 }},
		{name: "several shards", mix: []string{"blind batch", "bank transfer", "write skew", "count", "read-only"},
			plan: func(p *plan) { p.retention = 100 * time.Millisecond }},
		{name: "conflicts", mix: []string{"list append", "bank transfer", "write skew"},
			plan: func(p *plan) {
				p.classics = newClassics(newChance(1), true)
				p.clients, p.think, p.pessimistic = 4, 20*time.Millisecond, 0.5
				p.active = time.Second
			}},
		{name: "requests", mix: []string{"request", "request of a transaction"},
			plan: func(p *plan) { p.keys = p.keys[:4] }},
		{name: "orphans", mix: []string{"bank transfer", "blind batch", "get", "set"},
			plan: func(p *plan) {
				p.active, p.think, p.retention = 4*time.Second, 200*time.Millisecond, 100*time.Millisecond
			},
			also: []failpoint{{site: "coordinator.prewrite.after-all", mishap: dies, nth: 3}}},
		{name: "leaders", mix: []string{"bank transfer", "set", "scan", "snapshot"},
			plan: func(p *plan) {
				p.active, p.think = 2*time.Second, 100*time.Millisecond
				p.faults.transferEvery, p.faults.leaderEvery = time.Second, 1500*time.Millisecond
			}},
		{name: "snapshots", mix: []string{"blind batch", "set", "snapshot"},
			plan: func(p *plan) {
				p.truncate, p.keep, p.flush = 256, 64, 1
				p.active, p.think, p.clients = 2*time.Second, 20*time.Millisecond, 2
				p.cuts, p.shards = nil, 1
				p.stage = func(w *world) { w.on(nil, 700*time.Millisecond, "alone", w.leaveBehind) }
			}},
	}
}

// leaveBehind cuts off a member that leads nothing, until it needs a snapshot.
func (w *world) leaveBehind() {
	for _, n := range w.members {
		if slices.ContainsFunc(w.groups, func(g *group) bool { return g.leader() == n }) {
			continue
		}
		for _, other := range w.members {
			w.cuts[[2]int{n.id, other.id}] = w.now + 800*time.Millisecond
			w.cuts[[2]int{other.id, n.id}] = w.now + 800*time.Millisecond
		}
		return
	}
}

// planOf is the plan of a scenario for a seed.
func (s *scenario) planOf(seed uint64) *plan {
	p := &plan{seed: seed, commit: s.commit, shape: shapeThree, grouped: true,
		nodes: []nodePlan{{member: true}, {member: true}, {member: true}, {gateway: true}, {gateway: true}},
		keys:  []string{"k00", "k01", "k02", "k03", "k04", "k05"}, cuts: []string{"c1", "k03"}, shards: 3,
		classics: newClassics(newChance(1), false),
		clients:  3, active: 1500 * time.Millisecond, think: 60 * time.Millisecond,
		switchMax: 20 * time.Microsecond, drainMax: 300 * time.Microsecond, hopMax: time.Millisecond,
		callTimeout: 500 * time.Millisecond, flush: 0.1, cacheSlots: 1024, backgroundMax: 256, faults: calm()}
	if s.plan != nil {
		s.plan(p)
	}
	p.homes = make([]int, p.shards)
	for _, w := range append(workloads(), requestWorkloads()...) {
		if slices.Contains(s.mix, w.name) {
			p.mix = append(p.mix, w)
		}
	}
	return p
}

// run is one run of a scenario.
func (s *scenario) run(seed uint64, fail ...*failpoint) (*failpoints, *Report) {
	return s.tell(seed, nil, fail...)
}

// tell is run, line by line.
func (s *scenario) tell(seed uint64, text io.Writer, fail ...*failpoint) (*failpoints, *Report) {
	for _, a := range s.also {
		fail = append(fail, &a)
	}
	f := newFailpoints(fail...)
	w := newWorld(s.planOf(seed))
	w.fail = f
	return f, runWorld(w, text)
}

// visit is a run without the fault, that tells which sites it came by.
type visit struct {
	*scenario
	seed   uint64
	passed map[string][]uint64
}

// survey visits all sites that the scenarios come by, and checks that these are
// all that there are.
func survey(t *testing.T, sites []string, seeds uint64) []visit {
	t.Helper()
	var visits []visit
	met := map[string]bool{}
	for _, s := range scenarios() {
		for seed := uint64(1); seed <= seeds; seed++ {
			f, r := s.run(seed)
			if r.Violation != nil {
				t.Fatalf("%s, seed %d, without a fault: %v", s.name, seed, r.Violation)
			}
			visits = append(visits, visit{&s, seed, f.passed})
			for site := range f.passed { // order: a set
				met[site] = true
			}
		}
	}
	for _, site := range sites {
		if !met[site] {
			t.Errorf("no scenario comes by %s: the sweep needs one that does", site)
		}
	}
	for _, site := range sortedKeys(met) {
		if !slices.Contains(sites, site) {
			t.Errorf("a run came by %s, which was not found in the source", site)
		}
	}
	return visits
}

// aim is the failpoint for a mishap at a site that v came by; nil: there it has
// no meaning. Which passage it is, chance says.
func (v *visit) aim(site string, m mishap) *failpoint {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, v.name, v.seed, site, m)
	c := newChance(h.Sum64())
	passages := v.passed[site]
	if len(passages) == 0 {
		return nil
	}
	f := &failpoint{site: site, mishap: m, nth: c.number(1, len(passages))}
	if m != losesWord {
		return f
	}
	f.nth = c.number(1, (len(passages)+1)/2) // it may have to wait for one where something can be lost
	if !strings.HasPrefix(site, "coordinator.") || asksNext(site) {
		return f
	}
	answered := slices.DeleteFunc(slices.Clone(passages), func(call uint64) bool { return call == 0 })
	if len(answered) == 0 {
		return nil
	}
	f.call = pick(c, answered)
	return f
}

// strike runs what v tells, with the fault, and reports whether it happened.
func (v *visit) strike(t *testing.T, f *failpoint) bool {
	t.Helper()
	_, r := v.run(v.seed, f)
	if r.Violation != nil {
		t.Errorf("%v at %s, passage %d of scenario %q, seed %d: %v\n\n%s\nreplay: CAIRN_FAILPOINT='%s/%v/%s/%d' "+
			"go test ./jepsen/sim -run TestFailpoint$ -v", f.mishap, f.site, f.nth, v.name, v.seed, r.Violation,
			r.Plan, f.site, f.mishap, v.name, v.seed)
	}
	return f.fired
}

var mishaps = []mishap{dies, fails, isLate, losesWord}

// TestFailpoints makes each mishap happen at each site of coordinator and
// participant. Quick: in one scenario each, which is always the same one. With
// CAIRN_FAILPOINT_SEEDS: in each that comes by the site, as many seeds of it.
func TestFailpoints(t *testing.T) {
	began := time.Now()
	seeds, long := environment(t, "CAIRN_FAILPOINT_SEEDS")
	if !long {
		seeds = 1
	}
	sites := allSites(t)
	visits := survey(t, sites, seeds)
	runs := 0
	for i, site := range sites {
		for j, m := range mishaps {
			struck, first := 0, newChance(uint64(len(mishaps)*i+j)).IntN(len(visits))
			for k := range visits {
				v := &visits[(first+k)%len(visits)]
				f := v.aim(site, m)
				if f == nil || struck > 0 && !long {
					continue
				}
				runs++
				if v.strike(t, f) {
					struck++
				}
			}
			if struck == 0 {
				t.Errorf("%v never happened at %s", m, site)
			}
		}
	}
	checkTable(t, sites)
	t.Logf("%d sites, %d runs beside %d without a fault, %v", len(sites), runs, len(visits), time.Since(began))
}

// checkTable: docs/testing.md names no site that is not there.
func checkTable(t *testing.T, sites []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`((?:coordinator|shard)\\.[a-z0-9]+\\.[a-z-]+)`").FindAllSubmatch(text, -1)
	if len(names) < 20 {
		t.Errorf("docs/testing.md names %d sites", len(names))
	}
	for _, name := range names {
		if !slices.Contains(sites, string(name[1])) {
			t.Errorf("docs/testing.md names a site that is not there: %s", name[1])
		}
	}
}

// TestFailpoint is one run of the sweep, CAIRN_FAILPOINT, line by line.
func TestFailpoint(t *testing.T) {
	which := strings.Split(os.Getenv("CAIRN_FAILPOINT"), "/")
	if len(which) != 4 {
		t.Skip("CAIRN_FAILPOINT is not set to site/mishap/scenario/seed")
	}
	seed, err := strconv.ParseUint(which[3], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios() {
		for _, m := range mishaps {
			if s.name != which[2] || m.String() != which[1] {
				continue
			}
			dry, _ := s.run(seed)
			v := visit{&s, seed, dry.passed}
			f := v.aim(which[0], m)
			if f == nil {
				t.Fatalf("%s does not come by %s", s.name, which[0])
			}
			if _, r := s.tell(seed, os.Stdout, f); r.Violation != nil {
				t.Errorf("%v\n\n%s", r.Violation, r.Plan)
			}
			return
		}
	}
	t.Fatalf("there is no such scenario or mishap: %q", which)
}
