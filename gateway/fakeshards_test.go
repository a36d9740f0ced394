package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// fakeShards is one shard in memory with an oracle. It evaluates whole transactions under a lock.
type fakeShards struct {
	mu       sync.Mutex
	last     txn.Timestamp
	keys     []txn.Key // sorted
	versions map[string][]txn.Version
	gates    map[string]*gate
	commits  int
	locked   map[txn.ID]bool // by the first attempt, who has locks
	// lock, if set, answers lock requests; nil: granted.
	lock func(*shardrpc.LockRequest) *shardrpc.LockResponse
	// lockGate, if set, is closed when locks are granted again.
	lockGate <-chan struct{}
	// refuse, if set, says why a commit is refused; empty: it is not.
	refuse func() (reason string)
	// swell, if set, changes what a commit answers.
	swell func(*shardrpc.CommitResponse)
	rows  map[string]txn.RequestRow // of requests, by anchor and name
	// collected, if set, says up to when the history is gone; 0: all of it is there.
	collected func() txn.Timestamp
	// ephemeral is what Ephemeral keeps; nil: nothing yet.
	ephemeral *fakeShards
	// readSoon is that of the coordinator; nil: it has none.
	readSoon coordinator.ReadSoon
	table    fakeTable
}

// gate holds up commits that name a key.
type gate struct {
	entered chan struct{} // one token a commit that has arrived
	open    chan struct{} // closed to let them pass
}

func newFakeShards() *fakeShards {
	return &fakeShards{
		versions: make(map[string][]txn.Version), gates: make(map[string]*gate), locked: make(map[txn.ID]bool),
		rows: make(map[string]txn.RequestRow),
	}
}

// hold makes commits of the key wait until the returned gate is open.
func (f *fakeShards) hold(key string) *gate {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := &gate{entered: make(chan struct{}, 10_000), open: make(chan struct{})}
	f.gates[key] = g
	return g
}

func (f *fakeShards) Timestamp(_ context.Context, n int) (txn.Timestamp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next(n), nil
}

func (f *fakeShards) next(n int) txn.Timestamp {
	first := max(f.last+1, txn.Timestamp(time.Now().UnixMicro()))
	f.last = first + txn.Timestamp(n) - 1
	return first
}

func (f *fakeShards) Routes(context.Context) ([]shardrpc.Route, error) {
	return []shardrpc.Route{{Shard: 2, Epoch: 1}}, nil
}

// at is the newest version not later than ts.
func (f *fakeShards) at(key txn.Key, ts txn.Timestamp) txn.Version {
	for _, v := range slices.Backward(f.versions[string(key)]) {
		if v.TS <= ts {
			return v
		}
	}
	return txn.Version{}
}

// scanAt visits the live entries of span at a time.
func (f *fakeShards) scanAt(span txn.Span, reverse bool, ts txn.Timestamp, emit func(txn.Entry) bool) {
	start, _ := slices.BinarySearchFunc(f.keys, span.Start, txn.Key.Compare)
	end := len(f.keys)
	if len(span.End) > 0 {
		end, _ = slices.BinarySearchFunc(f.keys, span.End, txn.Key.Compare)
	}
	for i := range max(end-start, 0) {
		k := f.keys[start+i]
		if reverse {
			k = f.keys[end-1-i]
		}
		if v := f.at(k, ts); v.Live(ts) && !emit(txn.Entry{Key: k, Version: v}) {
			return
		}
	}
}

func (f *fakeShards) Read(_ context.Context, req *shardrpc.ReadRequest) (*shardrpc.ReadResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.History != nil {
		return f.history(req), nil
	}
	resp := &shardrpc.ReadResponse{}
	if f.collected != nil {
		resp.TooOld = f.collected()
	}
	for _, k := range req.Keys {
		v := f.at(k, req.At)
		if req.Revision != nil {
			v = txn.Version{}
			for _, old := range f.versions[string(k)] {
				if old.TS <= req.At && old.Revision == *req.Revision {
					v = old
				}
			}
		}
		resp.Versions = append(resp.Versions, v)
	}
	if s := req.Scan; s != nil && s.Since != 0 {
		resp.Changed = f.changedSince(s.Span, s.Since, req.At)
	} else if s != nil {
		bytes := 0
		f.scanAt(s.Span, s.Reverse, req.At, func(e txn.Entry) bool {
			full := s.Limit > 0 && len(resp.Entries) == s.Limit
			if s.KeysOnly {
				e.Value.Data = nil
			}
			bytes += len(e.Key) + len(e.Value.Data)
			if full || s.Bytes > 0 && bytes > s.Bytes && len(resp.Entries) > 0 {
				resp.More = true
				return false
			}
			resp.Entries = append(resp.Entries, e)
			return true
		})
	}
	return resp, nil
}

// history hides nothing: what it has to hide the shards' own tests tell.
func (f *fakeShards) history(req *shardrpc.ReadRequest) *shardrpc.ReadResponse {
	resp, h := &shardrpc.ReadResponse{}, req.History
	bytes := 0
	for _, v := range slices.Backward(f.versions[string(req.Keys[0])]) {
		if v.TS > min(req.At, h.From) {
			continue
		}
		bytes += len(v.Value.Data)
		if n := len(resp.Versions); n > 0 && (n == h.Limit || bytes > h.Bytes) {
			resp.Next = v.TS
			break
		}
		if h.KeysOnly {
			v.Value.Data = nil
		}
		resp.Versions = append(resp.Versions, v)
	}
	return resp
}

// fakeView is the newest state.
type fakeView struct {
	f  *fakeShards
	at txn.Timestamp
}

func (v fakeView) Get(key txn.Key) (txn.Version, error) { return v.f.at(key, v.at), nil }

func (v fakeView) Scan(s txn.Scan, emit func(txn.Entry) bool) error {
	if s.Past != 0 {
		v.at = s.Past
	}
	v.f.scanAt(s.Span, s.Reverse, v.at, emit)
	return nil
}

func (v fakeView) Changed(span txn.Span, since txn.Timestamp) (bool, error) {
	return v.f.changedSince(span, since, v.at), nil
}

func (f *fakeShards) changedSince(span txn.Span, since, at txn.Timestamp) bool {
	return slices.ContainsFunc(f.keys, func(k txn.Key) bool {
		then, now := f.at(k, since), f.at(k, at)
		return span.Contains(k) && (then.TS != now.TS || then.Live(since) && !now.Live(at))
	})
}

func (f *fakeShards) Commit(ctx context.Context, req *shardrpc.CommitRequest) (*shardrpc.CommitResponse, error) {
	var held *gate
	f.mu.Lock()
	req.Program.Keys(func(k txn.Key) {
		if g := f.gates[string(k.User())]; g != nil {
			held = g
		}
	})
	f.mu.Unlock()
	if held != nil {
		select {
		case held.entered <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		select {
		case <-held.open:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits++
	if f.refuse != nil {
		if why := f.refuse(); why != "" {
			return &shardrpc.CommitResponse{Reply: shardrpc.Reply{Answer: shardrpc.Refused, Reason: why}}, nil
		}
	}
	at := f.next(1)
	if refused, at := f.judge(req); refused != nil || at != 0 {
		return f.repeat(req, refused, at)
	}
	if k, changed := f.changed(&req.Reads); changed {
		return &shardrpc.CommitResponse{Reply: shardrpc.Reply{
			Answer: shardrpc.Refused, Reason: shardrpc.ReasonConflict, Key: k,
		}}, nil
	}
	out, err := req.Program.Run(fakeView{f, at}, at)
	if err != nil {
		e, _ := errors.AsType[*txn.Error](err)
		return &shardrpc.CommitResponse{Reply: shardrpc.Reply{
			Answer: shardrpc.Refused, Reason: shardrpc.ReasonInvalid, Err: e,
		}}, nil
	}
	resp := &shardrpc.CommitResponse{
		Reply: shardrpc.Reply{Answer: shardrpc.OK}, CommitTS: at,
		Succeeded: out.Succeeded, Results: out.Results,
	}
	for i := range out.Writes {
		resp.Written = append(resp.Written, f.apply(&out.Writes[i], at, req))
	}
	txn.Fill(out.Ops, resp.Results, resp.Written)
	if f.swell != nil {
		f.swell(resp)
	}
	delete(f.locked, req.Age.ID)
	if req.Request != nil {
		f.rows[rowName(req.Anchor, req.Request.ID)] = txn.RequestRow{
			Status: txn.Committed, Fingerprint: req.Request.Fingerprint, CommitTS: at,
		}
	}
	return resp, nil
}

func rowName(anchor txn.Key, id txn.RequestID) string { return string(anchor) + string(id[:]) }

// judge looks at the row of a request: it is refused, or was committed at some time.
func (f *fakeShards) judge(req *shardrpc.CommitRequest) (*shardrpc.Reply, txn.Timestamp) {
	if req.Request == nil {
		return nil, 0
	}
	row := f.rows[rowName(req.Anchor, req.Request.ID)]
	refused := &shardrpc.Reply{Answer: shardrpc.Refused, Reason: shardrpc.ReasonForgone, Key: req.Anchor}
	verdict, at := row.Judge(req.Request, req.Txn, nil)
	switch verdict {
	case txn.RequestReused:
		refused.Reason = shardrpc.ReasonInvalid
		refused.Err = txn.Errorf(txn.Invalid, "request_id_reused", "other content")
		return refused, 0
	case txn.RequestAborted:
		return refused, 0
	}
	return nil, at
}

// repeat answers what a request came to at some time.
func (f *fakeShards) repeat(
	req *shardrpc.CommitRequest, refused *shardrpc.Reply, at txn.Timestamp,
) (*shardrpc.CommitResponse, error) {
	if refused != nil {
		return &shardrpc.CommitResponse{Reply: *refused}, nil
	}
	out, err := req.Program.Run(fakeView{f, at - 1}, at)
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.CommitResponse{
		Reply: shardrpc.Reply{Answer: shardrpc.OK}, CommitTS: at,
		Succeeded: out.Succeeded, Results: out.Results,
	}
	for i := range out.Writes {
		prev := f.at(out.Writes[i].Key, at-1)
		w := txn.Written{Key: out.Writes[i].Key, PrevRevision: prev.RevisionAt(at)}
		w.Version, w.Wrote = out.Writes[i].Version(&prev, at, req.Txn)
		resp.Written = append(resp.Written, w)
	}
	txn.Fill(out.Ops, resp.Results, resp.Written)
	return resp, nil
}

func (f *fakeShards) Inquire(
	_ context.Context, req *shardrpc.InquireRequest,
) (*shardrpc.InquireResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := rowName(req.Anchor, req.ID)
	row := f.rows[name]
	if row.Status == txn.Committed && req.Fingerprint != 0 && req.Fingerprint != row.Fingerprint {
		return &shardrpc.InquireResponse{Answer: shardrpc.Refused}, nil
	}
	if row.Status == txn.Absent && req.Prevent {
		row = txn.RequestRow{Status: txn.Aborted, BaseTS: req.BaseTS}
		f.rows[name] = row
	}
	return &shardrpc.InquireResponse{Answer: shardrpc.OK, Status: row.Status, CommitTS: row.CommitTS}, nil
}

func (f *fakeShards) changed(r *txn.ReadSet) (txn.Key, bool) {
	for _, s := range r.Keys {
		if v := f.at(s.Key, txn.Forever); v.TS != s.TS {
			return s.Key, true
		}
	}
	for _, span := range r.Spans {
		for k, vs := range f.versions {
			if span.Contains(txn.Key(k)) && vs[len(vs)-1].TS > span.At {
				return txn.Key(k), true
			}
		}
	}
	return nil, false
}

func (f *fakeShards) apply(w *txn.Write, at txn.Timestamp, by *shardrpc.CommitRequest) txn.Written {
	prev := f.at(w.Key, at)
	out := txn.Written{Key: w.Key, PrevRevision: prev.RevisionAt(at)}
	out.Version, out.Wrote = w.Version(&prev, at, by.Txn)
	out.Version.Principal, out.Version.Message = by.Program.Annotation.Principal, by.Program.Annotation.Message
	if out.Wrote {
		if i, had := slices.BinarySearchFunc(f.keys, w.Key, txn.Key.Compare); !had {
			f.keys = slices.Insert(f.keys, i, w.Key)
		}
		f.versions[string(w.Key)] = append(f.versions[string(w.Key)], out.Version)
	}
	out.Version.Value = txn.Value{}
	return out
}

var errOneShard = errors.New("one shard needs no such request")

func (f *fakeShards) Validate(_ context.Context, req *shardrpc.ValidateRequest) (*shardrpc.Reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k, changed := f.changed(&req.Reads); changed {
		return &shardrpc.Reply{Answer: shardrpc.Refused, Reason: shardrpc.ReasonConflict, Key: k}, nil
	}
	return &shardrpc.Reply{Answer: shardrpc.OK}, nil
}

func (f *fakeShards) Prewrite(context.Context, *shardrpc.PrewriteRequest) (*shardrpc.PrewriteResponse, error) {
	return nil, errOneShard
}

func (f *fakeShards) Decide(context.Context, *shardrpc.DecideRequest) (*shardrpc.DecideResponse, error) {
	return nil, errOneShard
}

func (f *fakeShards) Resolve(context.Context, *shardrpc.ResolveRequest) (*shardrpc.ResolveResponse, error) {
	return nil, errOneShard
}

func (f *fakeShards) QueryIntents(
	context.Context, *shardrpc.QueryIntentsRequest,
) (*shardrpc.QueryIntentsResponse, error) {
	return nil, errOneShard
}

func (f *fakeShards) Stale(context.Context, *shardrpc.StaleRequest) (*shardrpc.StaleResponse, error) {
	return nil, errOneShard
}

func (f *fakeShards) Query(context.Context, *shardrpc.QueryRequest) (*shardrpc.QueryResponse, error) {
	return nil, errOneShard
}

// Lock grants everything, unless a test says otherwise.
func (f *fakeShards) Lock(ctx context.Context, req *shardrpc.LockRequest) (*shardrpc.LockResponse, error) {
	if f.lockGate != nil {
		select {
		case <-f.lockGate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locked[req.Age.ID] = true
	if f.lock != nil {
		if resp := f.lock(req); resp != nil {
			return resp, nil
		}
	}
	return &shardrpc.LockResponse{Reply: shardrpc.Reply{Answer: shardrpc.OK}, Term: 1}, nil
}

func (f *fakeShards) Unlock(_ context.Context, req *shardrpc.UnlockRequest) (*shardrpc.UnlockResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.locked, req.Age.ID)
	return &shardrpc.UnlockResponse{Answer: shardrpc.OK}, nil
}

// owners is how many transactions have locks.
func (f *fakeShards) owners() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.locked)
}
