package sim

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// quickBudget is the wall time of TestShort; with the other tests here it
	// stays under 45 s.
	quickBudget = 30 * time.Second
	// quickFloor is how many seeds TestShort must reach.
	quickFloor     = 300
	quickFloorRace = 30
	// twiceEvery: one seed in so many is run again and must end in the same hash.
	twiceEvery = 20
)

// replay is the one command that shows a seed again.
func replay(seed uint64) string {
	return fmt.Sprintf("CAIRN_SIM_SEED=%d go test ./jepsen/sim -run TestSeed -v", seed)
}

// environment reads a number; absent without it.
func environment(t *testing.T, name string) (n uint64, set bool) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s is not a number", name, text)
	}
	return n, true
}

// tally adds up many runs.
type tally struct {
	seeds, twice int
	virtual      time.Duration
	began        time.Time
	shapes, seen map[string]int
}

func newTally() *tally {
	return &tally{began: time.Now(), shapes: map[string]int{}, seen: map[string]int{}}
}

// run runs a seed, some seeds twice, and reports whether all was well.
func (c *tally) run(t *testing.T, seed uint64) bool {
	t.Helper()
	r := Run(seed, nil)
	c.seeds++
	c.virtual += r.Virtual
	c.shapes[r.Shape]++
	for what, n := range r.Seen { // order: sums only
		c.seen[what] += n
	}
	if r.Violation != nil {
		t.Errorf("seed %d: %v\n\n%s\nreplay: %s", seed, r.Violation, r.Plan, replay(seed))
		return false
	}
	if seed%twiceEvery != 0 {
		return true
	}
	c.twice++
	if again := Run(seed, nil); again.Hash != r.Hash {
		t.Errorf("seed %d is not the same twice: hash %x, then %x\nreplay: %s", seed, r.Hash, again.Hash,
			replay(seed))
		return false
	}
	return true
}

func (c *tally) String() string {
	took := time.Since(c.began)
	var s strings.Builder
	fmt.Fprintf(&s, "%d seeds (%d of them twice), %.2f virtual hours in %v: %.0f times real time\n", c.seeds,
		c.twice, c.virtual.Hours(), took.Round(time.Millisecond), c.virtual.Seconds()/took.Seconds())
	for _, m := range []map[string]int{c.shapes, c.seen} {
		for _, what := range sortedKeys(m) {
			fmt.Fprintf(&s, "  %8d  %s\n", m[what], what)
		}
	}
	return s.String()
}

// mustSee is what the seeds of one tier together must have met; else they
// prove less than they seem to.
var mustSee = []string{
	"crash", "crash at a point", "crash lost commits of the log engine",
	"crash lost commits of the state engine", "pause", "cut", "slow disk", "clock jump", "point delayed",
	"message lost", "message doubled", "message late", "message cut off", "commit of one shard",
	"commit of several shards", "validate", "query", "owner asked", "owner gone", "attempted again",
	"outcome unknown", "answer lost with its gateway", "unknown was committed", "unknown was not committed",
	"failed: conflict", "failed: deadline exceeded", "failed: resource exhausted", "rolled back",
	"log truncated", "clean stop", "full disk",
	"leadership changed", "leader killed", "leader paused", "oracle killed", "all members down",
	"transfer asked for", "followed to a leader", "machine suspended", "unreachable",
	"split: one alone", "split: one is not heard", "split: one hears nothing", "split: minority",
	"split: ring", "split: follower from leader", "split: gateway from leader",
	"snapshot sent", "snapshot installed", "snapshot lost on its way", "disk lost", "member replaced",
	"restarted before a vote", "request came again late", "request came again to a later leadership",
	"refused: conflict", "refused: pushed", "refused: stale_base", "refused: dead", "refused: intent",
	"refused: invalid", "refused: locked", "refused: repeated", "refused: request_aborted",
	"locked", "lock refused: wounded", "lock refused: lock_timeout", "lock refused: dead",
	"lock refused: stale_base",
	"lost a conflict: list append", "lost a conflict: bank transfer", "lost a conflict: write skew",
	"lost a conflict: range count", "lost a conflict: count", "lost a conflict: interactive",
	"request repeated", "request repeated after its answer", "request after an inquiry",
	"inquiry: committed", "inquiry: aborted",
	"tested: compare, program true", "tested: compare, program false", "tested: count, program true",
	"tested: count, program false", "tested: unchanged, program true", "tested: unchanged, program false",
}

// mustSeeOften is what makes the classic workloads worth it. On an average, every other seed must
// have it: a workload that never commits, or never gets to do what it is there for, proves nothing.
var mustSeeOften = []string{
	"list-append: appended", "bank: transferred", "write skew: off", "write skew: on",
	"range count: entered", "range count: full", "marks set", "read together: lists",
	"read together: accounts", "read together: a pair", "read together: a room", "read together: marks",
}

func (c *tally) checkSeen(t *testing.T) {
	t.Helper()
	for _, what := range mustSeeOften {
		if n := c.seen[what]; n < c.seeds/2 {
			t.Errorf("%d seeds had this only %d times: %s", c.seeds, n, what)
		}
	}
	for _, what := range mustSee {
		if c.seen[what] == 0 {
			t.Errorf("%d seeds never met this: %s", c.seeds, what)
		}
	}
	for _, shape := range shapes {
		if c.shapes[shape] == 0 {
			t.Errorf("%d seeds never had this shape: %s", c.seeds, shape)
		}
	}
	for _, w := range requestWorkloads() {
		if c.seen["done: "+w.name] == 0 {
			t.Errorf("%d seeds did no operation of this workload: %s", c.seeds, w.name)
		}
	}
	for _, w := range workloads() {
		if n := c.seen["done: "+w.name]; n < c.seeds {
			t.Errorf("%d seeds did only %d operations of this workload: %s", c.seeds, n, w.name)
		}
	}
}

// TestShort is the quick tier: as many seeds as fit into its time.
func TestShort(t *testing.T) {
	budget, floor := quickBudget, quickFloor
	if raceEnabled {
		floor = quickFloorRace
	}
	if seconds, set := environment(t, "CAIRN_SIM_SECONDS"); set {
		budget, floor = time.Duration(seconds)*time.Second, 1
	}
	first, set := environment(t, "CAIRN_SIM_SEED")
	if !set {
		first = 1
	}
	c := newTally()
	for seed := first; time.Since(c.began) < budget; seed++ {
		if !c.run(t, seed) {
			return
		}
	}
	t.Logf("seeds %d to %d: %v", first, first+uint64(c.seeds)-1, c)
	if c.seeds < floor {
		t.Errorf("%d seeds in %v, at least %d must fit", c.seeds, budget, floor)
	}
	if floor == quickFloor {
		c.checkSeen(t)
	}
}

// TestLong runs CAIRN_SIM_SEEDS seeds from CAIRN_SIM_SEED (make long-sim).
func TestLong(t *testing.T) {
	n, set := environment(t, "CAIRN_SIM_SEEDS")
	if !set {
		t.Skip("CAIRN_SIM_SEEDS is not set")
	}
	first, set := environment(t, "CAIRN_SIM_SEED")
	if !set {
		first = 1
	}
	c := newTally()
	failed := 0
	for seed := first; seed < first+n && failed < 10; seed++ {
		if !c.run(t, seed) {
			failed++
		}
	}
	t.Logf("seeds %d to %d: %v", first, first+uint64(c.seeds)-1, c)
	if n >= quickFloor {
		c.checkSeen(t)
	}
}

// TestSeed shows one seed, CAIRN_SIM_SEED, line by line.
func TestSeed(t *testing.T) {
	seed, set := environment(t, "CAIRN_SIM_SEED")
	if !set {
		t.Skip("CAIRN_SIM_SEED is not set")
	}
	r := Run(seed, os.Stdout)
	t.Logf("seed %d: %d events, %d operations, %v virtual, hash %x", seed, r.Events, r.Ops, r.Virtual, r.Hash)
	if r.Violation != nil {
		t.Errorf("%v\n\n%s", r.Violation, r.Plan)
	}
}

// TestDeterminism: a seed is one run, whatever its shape.
func TestDeterminism(t *testing.T) {
	met := map[string]int{}
	hashes := map[uint64]uint64{}
	for seed := uint64(1_000_000); len(met) < len(shapes) || len(hashes) < 12; seed++ {
		var one, two strings.Builder
		a, b := Run(seed, &one), Run(seed, &two)
		if a.Hash != b.Hash {
			t.Fatalf("seed %d (%s): hash %x, then %x; first difference:\n%s", seed, a.Plan, a.Hash, b.Hash,
				firstDifference(one.String(), two.String()))
		}
		met[a.Shape]++
		if other, ok := hashes[a.Hash]; ok {
			t.Fatalf("seeds %d and %d have the same trace", other, seed)
		}
		hashes[a.Hash] = seed
	}
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return as[i] + "\n" + bs[i]
		}
	}
	return "one is longer"
}

// TestNothingLeaks: no coroutine outlives its run.
func TestNothingLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	for seed := uint64(1); seed <= 20; seed++ {
		Run(seed, nil)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after 20 runs", before, after)
	}
}

func TestQueue(t *testing.T) {
	c := newChance(1)
	var q queue
	var want []time.Duration
	for i := range 1000 {
		at := time.Duration(c.IntN(100))
		want = append(want, at)
		q.push(&event{at: at, order: c.Uint32(), seq: uint64(i)})
	}
	slices.Sort(want)
	for i := range want {
		if e := q.pop(); e.at != want[i] {
			t.Fatalf("event %d at %v, want %v", i, e.at, want[i])
		}
	}
}
