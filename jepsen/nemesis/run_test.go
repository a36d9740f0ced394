//go:build unix

package nemesis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/cairnkv/cairn/jepsen/cluster"
)

const (
	namesEnv = "CAIRN_NEMESES"      // 1: all, or some of them by name; empty: none
	seedEnv  = "CAIRN_NEMESES_SEED" // of what is left to chance; empty: any
	dirEnv   = "CAIRN_NEMESES_DIR"  // where logs and data stay; empty: they go with the test
	patience = time.Minute          // for each step
	// sharesMax is how many nemeses that may replace a member share a cluster: it has room for four.
	sharesMax = 4
)

// row is what came of one.
type row struct {
	n      Nemesis
	held   time.Duration
	commit time.Duration // until every shard had committed again
	keys   int           // acknowledged meanwhile, and read back
	proof  string
	err    error
}

// TestNemeses lets each nemesis happen to a cluster that writes a little: with CAIRN_NEMESES=1 all
// and pairs of them, else those that it names, with commas. The quick tier has cells instead.
func TestNemeses(t *testing.T) {
	which := os.Getenv(namesEnv)
	switch which {
	case "":
		t.Skip("set " + namesEnv + "=1: make long-nemeses does")
	case "1":
		which = ""
	}
	list := chosen(t, strings.FieldsFunc(which, func(c rune) bool { return c == ',' }))
	seed := time.Now().UnixNano()
	if s := os.Getenv(seedEnv); s != "" {
		var err error
		if seed, err = strconv.ParseInt(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	dir := os.Getenv(dirEnv)
	if dir == "" {
		dir = t.TempDir()
	}
	programs, err := cluster.Build(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s=%d", seedEnv, seed)
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	var rows []row
	for i, shared := range sharing(list) {
		o := cluster.Options{Dir: fmt.Sprintf("%s/%d", dir, i), Programs: programs, Gateways: 2,
			Members: max(3, shared[0].Members), Commit: "parallel", Reads: "lease"}
		if shared[0].Reads != "" {
			o.Reads = shared[0].Reads
		}
		rows = append(rows, suffer(t, o, shared, r)...)
	}
	t.Logf("\n%s", table(rows))
	for _, row := range rows {
		if row.err != nil {
			t.Errorf("%s: %v", row.n.Name, row.err)
		} else if row.commit > row.n.Objective {
			t.Errorf("%s: commits on all shards after %v, %v is the objective", row.n.Name,
				row.commit, row.n.Objective)
		}
	}
}

// pairs are some of those that last at the same time.
var pairs = []string{
	"bridge+kill-leader", "isolate-one+kill-gateway", "majority-minority+power-loss-one",
	"deaf-leader+clock-bump", "delay-short+slow-sync-follower", "kill-minority+clock-strobe",
	"delay-short+transfer-storm", "clock-strobe+rolling-restart", "kill-gateway+pause-leader",
	"delay-short+disk-full", "transfer-storm+sync-error", "clock-rate+part-kill",
}

// chosen are the nemeses of these names; a+b is both. None: all there are, and pairs.
func chosen(t *testing.T, names []string) (list []Nemesis) {
	t.Helper()
	if len(names) == 0 {
		list, names = All(), pairs
	}
	for _, name := range names {
		a, b, two := strings.Cut(name, "+")
		n, ok := ByName(a)
		if two && ok {
			other, _ := ByName(b)
			var err error
			if n, err = Both(n, other); err != nil {
				t.Fatal(err)
			}
		}
		if !ok {
			t.Fatalf("there is no nemesis %s", name)
		}
		list = append(list, n)
	}
	return list
}

// sharing groups those that can use the same cluster.
func sharing(list []Nemesis) (groups [][]Nemesis) {
	for _, n := range list {
		i := slices.IndexFunc(groups, func(g []Nemesis) bool {
			return g[0].Members == n.Members && g[0].Reads == n.Reads &&
				g[0].touches&whole == n.touches&whole && (n.touches&whole == 0 || len(g) < sharesMax)
		})
		if i < 0 {
			groups = append(groups, []Nemesis{n})
		} else {
			groups[i] = append(groups[i], n)
		}
	}
	return groups
}

// suffer founds a cluster and lets all happen to it, one after the other.
func suffer(t *testing.T, o cluster.Options, list []Nemesis, r *rand.Rand) (rows []row) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	c, err := cluster.Found(ctx, o)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Errorf("the cluster of %s: %v", o.Dir, err)
		}
	}()
	w := newTrickle(t, c)
	defer w.close()
	for _, n := range list {
		one := row{n: n}
		one.err = befall(t.Context(), c, w, &one, r)
		rows = append(rows, one)
		t.Logf("%s: %v after %v; %s; %v", n.Name, one.commit, one.held, one.proof, one.err)
		if one.err != nil {
			t.Logf("clients saw: %v", w.errors())
			return rows // what comes after would be about this one
		}
	}
	return rows
}

// befall is one nemesis from its begin to a cluster that is well again.
func befall(ctx context.Context, c *cluster.Cluster, w *trickle, r *row, chance *rand.Rand) error {
	step := func(do func(ctx context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return do(ctx)
	}
	var f *Fault
	err := step(func(ctx context.Context) (err error) {
		f, err = r.n.Begin(ctx, c, chance)
		return err
	})
	if err != nil {
		return fmt.Errorf("it does not begin: %w", err)
	}
	r.proof = f.What
	began := time.Now()
	w.mark()
	var served error
	if r.n.Served {
		served = step(func(ctx context.Context) error { return w.await(ctx, r) })
	}
	cluster.Sleep(ctx, r.n.Hold-time.Since(began))
	r.held = time.Since(began).Round(time.Millisecond)
	if err := errors.Join(served, step(f.Heal)); err != nil {
		return fmt.Errorf("%s: %w", f.What, err)
	}
	if !r.n.Served {
		w.mark()
		if err := step(func(ctx context.Context) error { return w.await(ctx, r) }); err != nil {
			return fmt.Errorf("%s: %w", f.What, err)
		}
	}
	return errors.Join(
		step(func(ctx context.Context) (err error) {
			proof, err := f.Proof(ctx)
			r.proof = f.What + ": " + proof
			return err
		}),
		step(c.AwaitHealthy),
		step(func(ctx context.Context) (err error) {
			r.keys, err = w.check(ctx)
			return err
		}))
}

func table(rows []row) string {
	var b bytes.Buffer
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "number\tnemesis\theld\tall shards commit\tobjective\tread back\tproof")
	for _, r := range rows {
		since := "since its begin"
		if !r.n.Served {
			since = "since it was healed"
		}
		fmt.Fprintf(out, "%s\t%s\t%v\t%v %s\t%v\t%d\t%s\n", r.n.Number, r.n.Name, r.held,
			r.commit.Round(time.Millisecond), since, r.n.Objective, r.keys, r.proof)
	}
	_ = out.Flush() // into memory
	return b.String()
}
