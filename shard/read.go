package shard

import (
	"context"
	"errors"
	"slices"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Read answers a snapshot read (F2) on the caller's goroutine: bump, wait for
// writes in flight, take intents and iterator together, scan, and check that
// the leadership still holds (V3, M14, R5).
func (r *Replica) Read(
	ctx context.Context, m *shardrpc.ReadRequest,
) (*shardrpc.ReadResponse, error) {
	term := r.serving.Load()
	var spans []txn.Span
	if m.Scan != nil {
		spans = []txn.Span{m.Scan.Span}
	}
	switch {
	case term == noTerm:
		return &shardrpc.ReadResponse{Retry: true}, nil
	case m.Epoch != r.o.Route.Epoch || !inShard(r.o.Route.Span, m.Keys, spans):
		return &shardrpc.ReadResponse{Moved: true}, nil
	}
	if m.At == 0 {
		at, ok := r.o.Now()
		if !ok {
			return &shardrpc.ReadResponse{Retry: true}, nil
		}
		now := *m
		now.At, m = at, &now
	}
	if err := r.future(m.At); err != nil {
		return &shardrpc.ReadResponse{Err: err}, nil
	}
	r.o.Newest.Raise(m.At)
	v := &view{r: r, at: m.At, keys: m.Keys, spans: spans,
		plain: m.Scan == nil && m.History == nil && m.Revision == nil}
	blocked, err := v.open(ctx, floorOf(m.At))
	if e, ok := errors.AsType[*txn.Error](err); ok && e.Kind == txn.NotFound {
		return &shardrpc.ReadResponse{Err: e}, nil
	}
	if err != nil {
		return retryOrStop(err)
	}
	if blocked != nil { // who looks after them finds out what is so
		return &shardrpc.ReadResponse{Blocked: blocked}, nil
	}
	defer v.close()
	if err := r.o.Env.Point("shard.read.opened"); err != nil {
		return nil, err
	}
	resp, err := v.answer(m)
	if err != nil {
		return nil, err
	}
	if err := r.o.Env.Point("shard.read.evaluated"); err != nil {
		return nil, err
	}
	// V8, R5, I8: not before, and not instead.
	if led, err := r.holds(ctx, term); err != nil || !led {
		return &shardrpc.ReadResponse{Retry: true}, err
	}
	resp.At = m.At
	return resp, r.o.Env.Point("shard.read.confirmed")
}

// floorOf is what nothing may commit below once somebody has read at a
// timestamp (T6).
func floorOf(at txn.Timestamp) txn.Timestamp {
	if mutant.On(mutant.T6) {
		return at
	}
	return at + 1
}

// future is T5: a timestamp that nobody can have issued yet must not get into
// the timestamp cache. After a backward jump of the wall clock the oracle is
// ahead of it.
func (r *Replica) future(at txn.Timestamp) *txn.Error {
	if int64(at) <= max(r.o.Env.Wall(), int64(r.o.Newest.Load()))+AheadMax.Microseconds() {
		return nil
	}
	return txn.Errorf(txn.Invalid, "future_timestamp",
		"the timestamp %d is more than 10 s ahead of this member's time", at)
}

func retryOrStop(err error) (*shardrpc.ReadResponse, error) {
	if errors.Is(err, env.ErrTimeout) {
		return &shardrpc.ReadResponse{Retry: true}, nil
	}
	return nil, err
}

// Validate is F4.2: what a transaction only read here must still hold at C0.
func (r *Replica) Validate(
	ctx context.Context, m *shardrpc.ValidateRequest,
) (*shardrpc.Reply, error) {
	term := r.serving.Load()
	keys, spans := make([]txn.Key, len(m.Reads.Keys)), m.Reads.Ranges()
	for i := range m.Reads.Keys {
		keys[i] = m.Reads.Keys[i].Key
	}
	switch {
	case term == noTerm:
		return &shardrpc.Reply{Answer: shardrpc.Retry}, nil
	case m.Epoch != r.o.Route.Epoch || !inShard(r.o.Route.Span, keys, spans):
		return &shardrpc.Reply{Answer: shardrpc.Moved}, nil
	}
	if err := r.future(m.At); err != nil {
		return &shardrpc.Reply{Answer: shardrpc.Refused, Reason: shardrpc.ReasonInvalid,
			Err: err}, nil
	}
	r.o.Newest.Raise(m.At)
	v := &view{r: r, at: m.At, keys: keys, spans: spans, self: m.Txn}
	blocked, err := v.open(ctx, m.At)
	if errors.Is(err, env.ErrTimeout) {
		return &shardrpc.Reply{Answer: shardrpc.Retry}, nil
	}
	if e, ok := errors.AsType[*txn.Error](err); ok && e.Kind == txn.NotFound {
		return &shardrpc.Reply{Answer: shardrpc.Refused, Reason: shardrpc.ReasonInvalid,
			Err: e}, nil
	}
	if err != nil {
		return nil, err
	}
	if blocked != nil { // A12; no proof of anything but this attempt's end
		return &shardrpc.Reply{Answer: shardrpc.Refused, Reason: shardrpc.ReasonIntent,
			Blocker: &blocked[0]}, nil
	}
	defer v.close()
	if err := r.o.Env.Point("shard.validate.opened"); err != nil {
		return nil, err
	}
	key, changed, err := changedSince(v.rd, &m.Reads, v.at)
	if err == nil {
		err = r.o.Env.Point("shard.validate.evaluated")
	}
	if err != nil {
		return nil, err
	}
	reply := shardrpc.Reply{Answer: shardrpc.OK}
	if changed {
		reply = conflict(v.rd, key, v.at)
	}
	if led, err := r.holds(ctx, term); err != nil || !led {
		return &shardrpc.Reply{Answer: shardrpc.Retry}, err
	}
	if err := r.o.Env.Point("shard.validate.confirmed"); err != nil {
		return nil, err
	}
	return &reply, nil
}

// view is one consistent look at some keys and spans at a timestamp.
type view struct {
	r     *Replica
	at    txn.Timestamp
	keys  []txn.Key
	spans []txn.Span
	self  txn.ID        // whose own intents do not matter
	plain bool          // asks for the versions of keys at at, and for nothing else
	known []txn.Version // what is known without a look into the engine: nothing, or of all keys
	it    mvcc.Iterator // of its own
	lent  *reader       // or one of r.readers
	rd    *mvcc.Reader
}

// open bumps the timestamp cache to floor, then waits until nothing below at
// is on its way, then takes the snapshot. It returns the undecided
// transactions that it waited for in vain.
func (v *view) open(ctx context.Context, floor txn.Timestamp) ([]shardrpc.Blocker, error) {
	if err := v.r.o.Env.Point("shard.read.before-bump"); err != nil {
		return nil, err
	}
	if !mutant.On(mutant.V3) {
		v.bump(floor)
	}
	if mutant.On(mutant.M14) {
		if err := v.iterate(); err != nil {
			return nil, err
		}
	}
	if err := v.r.o.Env.Point("shard.read.bumped"); err != nil {
		return nil, err
	}
	start := v.r.o.Env.Now()
	for {
		blocked, wait, err := v.take()
		if mutant.On(mutant.V3) && err == nil && wait == nil {
			err = v.r.o.Env.Point("shard.read.taken")
			v.bump(floor)
		}
		if err != nil || wait == nil {
			return nil, err
		}
		until := start + readWaitMax
		if blocked != nil {
			until = start + intentWaitMax
		}
		err = v.r.o.Env.Wait(ctx, wait, until)
		if errors.Is(err, env.ErrTimeout) && blocked != nil {
			return blocked, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (v *view) bump(floor txn.Timestamp) {
	cache := v.r.cache.Load()
	if cache == nil || floor <= cache.Low() {
		return
	}
	for _, k := range v.keys {
		cache.Bump(k, floor)
	}
	for _, s := range v.spans {
		cache.BumpSpan(s, floor)
	}
}

// take opens the iterator together with the intents that matter to it (M14).
// If something is in the way it returns a future to wait for instead.
func (v *view) take() ([]shardrpc.Blocker, *env.Future, error) {
	r := v.r
	r.mu.RLock()
	defer r.mu.RUnlock()
	if ks, hit := r.mu.dropped.among(v.keys, v.spans); hit {
		v.close()
		return nil, nil, txn.DroppedKeyspace(ks)
	}
	if v.latched() {
		return nil, r.waitForChange(), nil
	}
	hidden, blocked := v.intents()
	if blocked != nil {
		return blocked, r.waitForChange(), nil
	}
	if v.plain && v.it == nil && len(hidden) == 0 {
		known, err := v.knows()
		if known || err != nil {
			return nil, nil, err
		}
	}
	if v.it == nil && len(v.spans) == 0 {
		var err error
		if v.lent, err = r.openReader(); err != nil {
			return nil, nil, err
		}
		v.rd = v.lent.Reader
		v.rd.Reset(v.lent.it, hidden)
		return nil, nil, nil
	}
	if v.it == nil {
		if err := v.iterate(); err != nil {
			return nil, nil, err
		}
	}
	v.rd = mvcc.NewReader(v.it, hidden)
	return nil, nil, nil
}

func (v *view) iterate() (err error) {
	lower, upper := mvcc.DataBounds(v.bounds())
	v.it, err = v.r.o.State.NewIter(mvcc.IterOptions{Lower: lower, Upper: upper})
	return err
}

// bounds is the smallest span that holds all that v looks at.
func (v *view) bounds() txn.Span {
	var b txn.Span
	first := true
	grow := func(s txn.Span) {
		if first {
			b, first = s, false
			return
		}
		if s.Start.Compare(b.Start) < 0 {
			b.Start = s.Start
		}
		if len(b.End) > 0 && (len(s.End) == 0 || s.End.Compare(b.End) > 0) {
			b.End = s.End
		}
	}
	for _, k := range v.keys {
		grow(txn.KeySpan(k))
	}
	for _, s := range v.spans {
		grow(s)
	}
	return b
}

// latched reports whether a write that may land at or below at is in flight.
func (v *view) latched() bool {
	l := v.r.mu.latches
	if l.Held() == 0 {
		return false
	}
	for _, k := range v.keys {
		if l.BlockingKey(k, v.at) != nil {
			return true
		}
	}
	return slices.ContainsFunc(v.watched(), func(s txn.Span) bool {
		return l.BlockingSpan(s, v.at) != nil
	})
}

// watched is the spans in which something on its way matters: all of them (V4).
func (v *view) watched() []txn.Span {
	if mutant.On(mutant.V4) && v.self != 0 {
		return nil
	}
	return v.spans
}

// intents are the ones at or below at: decided ones as the reader must take
// them, and whoever is undecided.
func (v *view) intents() ([]mvcc.Hidden, []shardrpc.Blocker) {
	all := v.r.mu.intents
	if all.Len() == 0 {
		return nil, nil
	}
	var hidden []mvcc.Hidden
	var blocked []shardrpc.Blocker
	meet := func(i *mvcc.Intent) {
		_, commit, known := v.r.outcome(i.Txn)
		if i.Txn == v.self || mutant.On(mutant.A12) && v.self != 0 && !known {
			commit, known = 0, true // what it lays down itself it has not read
		}
		if !known {
			blocked = append(blocked, *blockerOf(i))
			return
		}
		// An aborted one has commit 0: nobody may see it.
		hidden = append(hidden, mvcc.Hidden{Key: i.Key, TS: i.TS, CommitTS: commit})
	}
	for _, k := range v.keys {
		if i := all.Get(k); i != nil && i.TS <= v.at {
			meet(i)
		}
	}
	for _, s := range v.watched() {
		for _, i := range all.Overlapping(s, v.at) {
			meet(i)
		}
	}
	return inOrder(hidden), blocked
}

func (v *view) close() {
	if v.it != nil {
		_ = v.it.Close()
	}
	if v.lent != nil {
		v.r.readers.put(v.lent)
	}
}

func (v *view) answer(m *shardrpc.ReadRequest) (*shardrpc.ReadResponse, error) {
	if m.History != nil {
		return v.history(m)
	}
	if v.known != nil {
		return &shardrpc.ReadResponse{Versions: v.known}, nil
	}
	resp := &shardrpc.ReadResponse{Versions: make([]txn.Version, len(m.Keys))}
	for i, k := range m.Keys {
		var ver txn.Version
		var err error
		if i == 0 && m.Revision != nil {
			ver, err = v.rd.GetRevision(k, *m.Revision, m.At)
		} else {
			ver, err = v.get(k)
		}
		if err != nil {
			return nil, err
		}
		resp.Versions[i] = mvcc.CloneVersion(ver)
	}
	if m.Scan == nil {
		return resp, nil
	}
	return resp, v.scan(m, resp)
}

func (v *view) scan(m *shardrpc.ReadRequest, resp *shardrpc.ReadResponse) error {
	s := m.Scan
	if s.Since != 0 {
		var err error
		resp.Changed, resp.Expiry, err = v.rd.ChangedSince(s.Span, s.Since, m.At, m.At)
		return err
	}
	budget := s.Bytes
	if budget <= 0 {
		budget = scanBytesDefault
	}
	used := 0
	o := mvcc.ScanOptions{Span: s.Span, At: m.At, Reverse: s.Reverse}
	return v.rd.Scan(o, func(e txn.Entry) bool {
		size := len(e.Key)
		if !s.KeysOnly {
			size += len(e.Value.Data)
		}
		full := s.Limit > 0 && len(resp.Entries) == s.Limit
		if full || len(resp.Entries) > 0 && used+size > budget {
			resp.More = true
			return false
		}
		used += size
		if s.KeysOnly {
			e.Value.Data = nil
		}
		resp.Entries = append(resp.Entries, mvcc.CloneEntry(e))
		return true
	})
}
