package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// dropRun deletes a keyspace while transactions write to it and to two shards of another one.
type dropRun struct {
	*world
	doomed   txn.KeyspaceID
	ops      []*mixedOp
	running  int
	dropping bool
	dropped  bool
	err      error // of the last attempt to delete it
	refused  int   // transactions that were told that it is gone
}

// mixedOp is a transaction that leaves its number in the doomed keyspace and twice in the default
// one, in different shards.
type mixedOp struct {
	number  int
	late    bool // it began when the keyspace was gone
	outcome Outcome
	err     error
}

const dropActive = 4 * time.Second

func newDropRun(seed uint64, mode coordinator.CommitMode, doomed txn.KeyspaceID) *dropRun {
	p := newPlan(seed)
	p.commit, p.clients, p.lockEvery, p.active = mode, 0, 0, dropActive
	p.cuts, p.shards = []string{"m"}, 2
	p.homes = []int{0, p.members() - 1}
	if p.retention == 0 && seed%2 == 0 {
		p.retention = 100 * time.Millisecond
	}
	return &dropRun{world: newWorld(p), doomed: doomed}
}

func (d *dropRun) keys(n int) [3]txn.Key {
	name := fmt.Sprintf("-%04d", n)
	return [3]txn.Key{userKey("a" + name), userKey("z" + name), txn.NewKey(d.doomed, []byte(name))}
}

// mixLater begins a transaction now and then, for as long as clients are active.
func (d *dropRun) mixLater() {
	d.on(nil, d.between(0, 20*time.Millisecond), "mix", func() {
		if d.now > dropActive {
			return
		}
		d.mixLater()
		if g := d.anyGateway(); g != nil {
			op := &mixedOp{number: len(d.ops), late: d.dropped, outcome: Unknown}
			d.ops = append(d.ops, op)
			d.running++
			g.p.start("mix", nil, func() {
				defer func() { d.running-- }()
				op.end(d, d.mix(g.coordinator, op.number))
			})
		}
	})
}

// mix writes without looking, or after a look at what else is there.
func (d *dropRun) mix(c *coordinator.Coordinator, n int) error {
	ctx := context.Background()
	p := &txn.Program{}
	keys := d.keys(n)
	for _, k := range keys {
		p.Then = append(p.Then, txn.Op{Kind: txn.OpSet, Key: k, Value: txn.IntValue(int64(n))})
	}
	if d.oneIn(3) {
		p.If = txn.Test{Kind: txn.TestCount, Span: txn.KeyspaceSpan(d.doomed), Is: txn.GreaterOrEqual}
	}
	if n > 0 && d.oneIn(3) { // over what another one writes
		p.Then[2].Key = d.keys(d.IntN(n))[2]
	}
	_, err := c.Execute(ctx, p, coordinator.CommitOptions{})
	return err
}

func (op *mixedOp) end(d *dropRun, err error) {
	op.err = err
	e, _ := errors.AsType[*txn.Error](err)
	switch {
	case err == nil:
		op.outcome = Committed
	case e == nil || e.Kind == txn.Unknown: // its process has died, or nobody can tell
	default:
		op.outcome = Failed
		if e.Reason == txn.ReasonKeyspaceNotFound {
			d.refused++
		}
	}
}

// dropLater deletes the keyspace, at any gateway and as often as it takes.
func (d *dropRun) dropLater(delay time.Duration) {
	d.on(nil, delay, "drop", func() {
		if d.dropped {
			return
		}
		d.dropLater(d.between(10*time.Millisecond, 300*time.Millisecond))
		g := d.anyGateway()
		if g == nil || d.dropping && !d.oneIn(10) { // sometimes two at once
			return
		}
		d.dropping = true
		g.p.start("drop", nil, func() {
			err := g.coordinator.DropKeyspace(context.Background(), d.doomed, 0)
			d.dropping = false
			if err == nil {
				d.dropped = true
			}
			if !errors.Is(err, env.ErrStopped) {
				d.err = err
			}
		})
	})
}

func (d *dropRun) live() error {
	if err := d.build(); err != nil {
		return err
	}
	for _, n := range d.nodes {
		d.startLater(n, d.between(0, 20*time.Millisecond))
	}
	d.unleash()
	d.mixLater()
	d.dropLater(d.between(dropActive/4, dropActive*3/4))
	d.run(dropActive, func() bool { return false })
	d.heal()
	over := func() bool { return d.dropped && d.running == 0 }
	if !d.run(d.now+clientsEndMax, over) && d.broken == nil {
		return fmt.Errorf("%d transactions hang, the keyspace is gone: %v, %w", d.running, d.dropped, d.err)
	}
	if d.broken != nil {
		return d.broken
	}
	final, err := d.takeStock()
	if err != nil {
		return err
	}
	return d.judge(final)
}

// judge: each transaction is there whole or not at all as far as its keys are not gone, and as its
// client was told.
func (d *dropRun) judge(final map[string][]txn.Version) error {
	writer := func(k txn.Key) txn.ID {
		for _, v := range final[string(k)] {
			return v.Txn
		}
		return 0
	}
	for k := range final {
		if txn.Key(k).Keyspace() == d.doomed {
			return fmt.Errorf("%v is left of the deleted keyspace", txn.Key(k))
		}
	}
	for _, op := range d.ops {
		keys := d.keys(op.number)
		a, z := writer(keys[0]), writer(keys[1])
		switch there := a != 0; {
		case a != z:
			return fmt.Errorf("transaction %d is there in part: %v and %v", op.number, a, z)
		case op.outcome == Committed && (!there || op.late), op.outcome == Failed && there, op.late && there:
			return fmt.Errorf("transaction %d (late: %v) ended as %v, and is there: %v: %w", op.number, op.late, op.outcome,
				there, op.err)
		}
	}
	return d.nothingLeft()
}

// nothingLeft: no replica has anything of the keyspace in any space, and it knows why.
func (d *dropRun) nothingLeft() error {
	span := txn.KeyspaceSpan(d.doomed)
	for _, g := range d.groups[1:] {
		for _, n := range g.nodes {
			gone, err := mvcc.GetDropped(n.state, uint64(g.route.Shard))
			if err != nil || gone[d.doomed] == 0 {
				return fmt.Errorf("%s does not know in shard %d that it is gone: %w", n.name, g.route.Shard, err)
			}
			for _, bounds := range []func(txn.Span) ([]byte, []byte){
				mvcc.RecordBounds, mvcc.IntentBounds, mvcc.DataBounds, mvcc.RequestBounds} {
				lower, upper := bounds(span)
				err := each(n.state, lower, upper, func(k, _ []byte) error {
					return fmt.Errorf("%s still has %x in shard %d", n.name, k, g.route.Shard)
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// TestDropKeyspace: a keyspace goes while transactions that write there and elsewhere are under
// way, with faults. Its id lies before or behind all others, so that records lie in it or not.
func TestDropKeyspace(t *testing.T) {
	total := map[Outcome]int{}
	refused, late := 0, 0
	for mode, name := range []string{coordinator.TwoPhase: "2pc", coordinator.Parallel: "parallel"} {
		for _, doomed := range []txn.KeyspaceID{txn.SystemKeyspace, 6} {
			t.Run(fmt.Sprintf("%s/%d", name, doomed), func(t *testing.T) {
				for seed := uint64(1); seed <= dropSeeds; seed++ {
					d := newDropRun(seed, coordinator.CommitMode(mode), doomed)
					undo := seedCryptoRand(seed)
					if os.Getenv("CAIRN_SIM_DROP") != "" {
						d.trace.text = os.Stderr
					}
					err := d.live()
					d.bury()
					undo()
					if err != nil {
						t.Fatalf("seed %d: %v\n%s", seed, err, d.plan)
					}
					refused += d.refused
					for _, op := range d.ops {
						total[op.outcome]++
						if op.late {
							late++
						}
					}
				}
			})
		}
	}
	if total[Committed] == 0 || total[Failed] == 0 || refused == 0 || late == 0 {
		t.Errorf("too little happened: %v, %d refused, %d late", total, refused, late)
	}
	t.Logf("%v, %d refused, %d late", total, refused, late)
}

// dropSeeds is how many worlds there are of each kind.
const dropSeeds = 6
