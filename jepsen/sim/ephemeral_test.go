package sim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// ephemeralSeeds is how many plans of several members TestEphemeral runs, or CAIRN_EPHEMERAL_SEEDS.
const ephemeralSeeds = 40

// seenEphemeral is an operation on an ephemeral key that was answered.
type seenEphemeral struct {
	began, ended time.Duration
	op           txn.Op
	res          txn.Result
	at           txn.Timestamp
}

// ephemeralLife is what callers do to ephemeral keys beside everything else, from all gateways.
type ephemeralLife struct {
	w       *world
	all     []seenEphemeral
	begun   int
	unknown int
}

// call begins one operation, on one of three keys.
func (l *ephemeralLife) call() {
	w, g := l.w, l.w.anyGateway()
	if g == nil {
		return
	}
	l.begun++
	keys := w.plan.keys
	op := txn.Op{Kind: txn.OpGet, Key: txn.NewKey(txn.DefaultKeyspace, []byte(keys[w.IntN(min(3, len(keys)))]))}
	switch w.IntN(10) {
	case 0:
		op.Kind = txn.OpDelete
	case 1:
		op.Kind, op.TTL = txn.OpExtend, w.between(0, 3*time.Second).Milliseconds()
	case 2, 3, 4:
		op.Kind, op.Value = txn.OpSet, txn.StringValue(fmt.Sprint(l.begun))
		op.Cond.Absent, op.KeepTTL = w.oneIn(3), w.oneIn(3)
		if !op.KeepTTL && w.oneIn(2) {
			op.TTL = 1 + w.between(0, 3*time.Second).Milliseconds()
		}
	}
	began := w.now
	g.p.start("ephemeral", nil, func() {
		results, at, err := g.coordinator.Ephemeral(context.Background(), []txn.Op{op}, g.p.Now()+4*time.Second)
		switch {
		case !g.p.alive:
		case err == nil:
			l.all = append(l.all, seenEphemeral{began, w.now, op, results[0], at})
		case txn.KindOf(err) == txn.Unknown:
			l.unknown++
		}
	})
}

// check wants each key to go forward: who begins after somebody has ended sees no older version than
// that one did, and none from before a moment at which the key was missing. lost is how often a key
// was gone that nobody had deleted and that had not expired.
func (l *ephemeralLife) check() (lost int, err error) {
	for _, key := range l.keys() {
		var of []*seenEphemeral
		for i := range l.all {
			if l.all[i].op.Key.Compare(key) == 0 {
				of = append(of, &l.all[i])
			}
		}
		n, err := checkEphemeralKey(of)
		if lost += n; err != nil {
			return lost, err
		}
	}
	return lost, nil
}

func (l *ephemeralLife) keys() (keys []txn.Key) {
	for i := range l.all {
		keys = append(keys, l.all[i].op.Key)
	}
	slices.SortFunc(keys, txn.Key.Compare)
	return slices.CompactFunc(keys, func(a, b txn.Key) bool { return a.Compare(b) == 0 })
}

func checkEphemeralKey(of []*seenEphemeral) (lost int, err error) {
	versions := map[txn.Timestamp]*txn.Version{}
	began, ended := slices.Clone(of), slices.Clone(of)
	slices.SortStableFunc(began, func(a, b *seenEphemeral) int { return cmp.Compare(a.began, b.began) })
	slices.SortStableFunc(ended, func(a, b *seenEphemeral) int { return cmp.Compare(a.ended, b.ended) })
	var last, at txn.Timestamp // the least that a version, and a time of evaluation, may have
	var expires txn.Timestamp  // of the last version that was seen, if it was live
	for _, s := range began {
		for len(ended) > 0 && ended[0].ended < s.began {
			e := ended[0]
			ended = ended[1:]
			at = max(at, e.at)
			switch v := &e.res.Entry.Version; {
			case v.Revision == txn.NoRevision:
				last, expires = max(last, e.at), 0
			case v.TS >= last:
				last, expires = v.TS, v.Expiry
				if expires == 0 {
					expires = txn.Forever
				}
				if v.Kind == txn.KindDelete {
					expires = 0
				}
			}
		}
		v := &s.res.Entry.Version
		switch {
		case s.at <= at:
			return 0, fmt.Errorf("%v at %d, after something at %d", s.op.Key, s.at, at)
		case v.Revision == txn.NoRevision:
			if s.at < expires {
				lost++
			}
			continue
		case v.TS < last || v.TS > s.at:
			return 0, fmt.Errorf("%v of %d is seen at %d, after something of %d", s.op.Key, v.TS, s.at, last)
		case v.Kind != txn.KindDelete && !v.Live(s.at):
			return 0, fmt.Errorf("%v of %d has expired at %d and is seen at %d", s.op.Key, v.TS, v.Expiry, s.at)
		}
		was := versions[v.TS]
		if was != nil && (was.Revision != v.Revision || was.CreateTS != v.CreateTS || was.Expiry != v.Expiry) {
			return 0, fmt.Errorf("%v at %d is two versions: %+v and %+v", s.op.Key, v.TS, *was, *v)
		}
		versions[v.TS] = v
	}
	return lost, nil
}

// TestEphemeral: whatever happens to members and networks, ephemeral keys are lost or right.
func TestEphemeral(t *testing.T) {
	answered, lost, unknown, changes := 0, 0, 0, 0
	seeds := ephemeralSeeds
	if n, set := environment(t, "CAIRN_EPHEMERAL_SEEDS"); set {
		seeds = int(n)
	}
	for seed, runs := uint64(1), 0; runs < seeds; seed++ {
		p := newPlan(seed)
		if !p.grouped {
			continue
		}
		runs++
		l := new(ephemeralLife)
		p.stage = func(w *world) {
			l.w = w
			w.every(8*time.Millisecond, "ephemeral", l.call)
		}
		r := runWorld(newWorld(p), nil)
		n, err := l.check()
		if r.Violation != nil || err != nil {
			t.Fatalf("seed %d: %v, %v\n%s", seed, r.Violation, err, r.Plan)
		}
		answered, lost, unknown = answered+len(l.all), lost+n, unknown+l.unknown
		changes += r.Seen["leadership changed"]
	}
	t.Logf("%d answers, %d unknown; %d times a key was lost, with %d changes of leaders", answered, unknown, lost, changes)
	if answered < 100*seeds || lost < seeds || unknown == 0 || changes < seeds {
		t.Error("too little happened to show anything")
	}
}
