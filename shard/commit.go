package shard

import (
	"errors"
	"slices"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// newCommit latches what either branch may write, and shares what it may read.
func newCommit(id uint64, m *shardrpc.CommitRequest) *write {
	w := &write{id: id, commit: m, txn: m.Txn, baseTS: m.BaseTS, maxTS: m.MaxTS, reads: &m.Reads}
	w.latch.Writes = make([]txn.Key, 0, len(m.Program.Then)+len(m.Program.Else)+1)
	m.Program.WrittenKeys(func(k txn.Key) { w.latch.Writes = append(w.latch.Writes, k) })
	w.keys = w.latch.Writes
	w.remember(m.Request, m.Anchor)
	m.Program.Keys(func(k txn.Key) { w.latch.Reads = append(w.latch.Reads, k) })
	m.Program.Spans(func(s txn.Span) { w.latch.ReadSpans = append(w.latch.ReadSpans, s) })
	w.latchReads()
	return w
}

// latchReads shares the read set.
func (w *write) latchReads() {
	for i := range w.reads.Keys {
		w.latch.Reads = append(w.latch.Reads, w.reads.Keys[i].Key)
	}
	w.latch.ReadSpans = append(w.latch.ReadSpans, w.reads.Ranges()...)
}

// grows reports whether w can need disk space; deletes and decisions go on
// when there is little left.
func (w *write) grows() bool {
	if w.prewrite != nil {
		for i := range w.prewrite.Writes {
			if w.prewrite.Writes[i].Kind != txn.KindDelete {
				return true
			}
		}
		return false
	}
	for _, ops := range [2][]txn.Op{w.commit.Program.Then, w.commit.Program.Else} {
		for i := range ops {
			if k := ops[i].Kind; k == txn.OpSet || k == txn.OpExtend || k == txn.OpUpdate {
				return true
			}
		}
	}
	return false
}

// alreadyDone answers a request that an earlier copy of itself has carried out
// (C4 to C6, A1). It comes before everything that could refuse.
func (r *Replica) alreadyDone(w *write) (bool, error) {
	if w.request != nil {
		if done, err := r.requestDone(w); done || err != nil {
			return done, err
		}
	}
	if w.prewrite != nil {
		if len(w.prewrite.Writes) == 0 {
			return r.recordPrewritten(w)
		}
		for i := range w.prewrite.Writes {
			if in := r.mu.intents.Get(w.prewrite.Writes[i].Key); in != nil && in.Txn == w.txn {
				return true, r.repeatPrewrite(w, in.TS)
			}
		}
	}
	rd, err := r.versions(nil)
	if err != nil || mutant.On(mutant.C6) && w.commit != nil {
		return false, err
	}
	for _, k := range w.keys {
		ts, err := ownVersion(rd, k, w.txn, w.baseTS)
		if err != nil {
			return false, err
		}
		if ts == 0 {
			continue
		}
		if w.commit != nil {
			return true, r.repeatCommit(w, w.txn, ts)
		}
		return true, r.repeatPrewrite(w, ts)
	}
	return false, nil
}

// ownVersion finds a version of a transaction begun at base on k; 0 if there is
// none. It costs one seek where nothing has been written since base.
func ownVersion(
	rd *mvcc.Reader, k txn.Key, id txn.ID, base txn.Timestamp,
) (txn.Timestamp, error) {
	v, err := rd.Newest(k)
	for err == nil && v.TS >= base { // at base, too: it is the usual c_i (A1)
		if v.Txn == id && !(mutant.On(mutant.A1) && v.TS == base) {
			return v.TS, nil
		}
		v, err = rd.Get(k, v.TS-1)
	}
	return 0, err
}

// atView is the committed state just below c, with c as the present.
type atView struct {
	rd *mvcc.Reader
	c  txn.Timestamp
}

func (v atView) Get(k txn.Key) (txn.Version, error) { return v.rd.Get(k, v.c-1) }

func (v atView) Scan(s txn.Scan, emit func(txn.Entry) bool) error {
	o := mvcc.ScanOptions{Span: s.Span, At: v.c - 1, Reverse: s.Reverse}
	if s.Past != 0 {
		o.At = s.Past
		return v.rd.Scan(o, emit)
	}
	return v.rd.Scan(o, func(e txn.Entry) bool { return !e.Live(v.c) || emit(e) })
}

func (v atView) Changed(span txn.Span, since txn.Timestamp) (bool, error) {
	changed, _, err := v.rd.ChangedSince(span, since, v.c-1, v.c)
	return changed, err
}

var _ txn.View = atView{}

// evaluateCommit runs the program at c. One that writes nothing, not even a row,
// has taken effect as a read at c, and its id must never write: a late copy that
// found the test true would contradict the answer. Nor is a request carried out before
// its Since is over, where no copy of it would look (C12).
func (r *Replica) evaluateCommit(w *write, rd *mvcc.Reader, resolves []*command) {
	if w.request != nil && w.c <= w.request.Since && !mutant.On(mutant.C12Since) {
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonInvalid, Err: txn.EarlyRequest(w.anchor)})
		return
	}
	by := author{w.txn, w.commit.Program.Annotation, w.request, w.anchor}
	resp, ops, err := runProgram(&w.commit.Program, rd, by, w.c, r.memory())
	if e := r.overLimits(ops); err == nil && e != nil {
		err = e
	}
	switch e, ours := errors.AsType[*txn.Error](err); {
	case err == nil && len(ops) == 0 && w.request == nil:
		w.done = true
		r.lead.dead.Add(w.txn, w.baseTS)
		r.assert(w.id, resp, w.response(shardrpc.Reply{Answer: shardrpc.Retry}))
		r.release(w)
	case err == nil:
		r.pend(resolves...)
		cmd := &command{kind: cmdWrite, txn: w.txn, baseTS: w.baseTS, ts: w.c, ops: ops,
			primary: w.anchor}
		if !slices.ContainsFunc(ops, func(o op) bool { return o.key.Compare(w.anchor) == 0 }) {
			cmd.remember(w.request)
		}
		r.proposeFor(w, cmd, func() {
			w.done = true
			r.reply(w.id, resp)
		})
	case ours && e.Kind != txn.Internal:
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonInvalid, Err: e})
	default:
		r.fail(err)
	}
}

// repeatCommit answers again what the program came to at ts, when the
// transaction id committed it.
func (r *Replica) repeatCommit(w *write, id txn.ID, ts txn.Timestamp) error {
	w.c = ts
	way := r.inTheWay(w)
	if b := way.blocker; b != nil && b.TS < ts {
		// Its fate was known when w committed and has been forgotten since:
		// only what w read then can be in question.
		r.retry(w)
		return nil
	}
	rd, err := r.versions(way.hidden)
	if err != nil {
		return err
	}
	resp, _, err := runProgram(&w.commit.Program, rd,
		author{txn: id, Annotation: w.commit.Program.Annotation}, ts, memory{})
	if e, ours := errors.AsType[*txn.Error](err); ours && e.Kind != txn.Internal {
		// It did run at ts: what it ran on is there no more.
		resp, err = &shardrpc.CommitResponse{Reply: shardrpc.Reply{Answer: shardrpc.Gone}}, nil
	}
	if err != nil {
		return err
	}
	w.done = true
	r.reply(w.id, resp)
	r.release(w)
	return nil
}

// runProgram is what p comes to at c.
func runProgram(p *txn.Program, rd *mvcc.Reader, by author, c txn.Timestamp, m memory) (
	*shardrpc.CommitResponse, []op, error,
) {
	out, err := p.Run(atView{rd, c}, c)
	if err != nil {
		return nil, nil, err
	}
	ops, written, err := makeOps(rd, out.Writes, by, c, m)
	if err != nil {
		return nil, nil, err
	}
	txn.Fill(out.Ops, out.Results, written)
	return &shardrpc.CommitResponse{
		Reply: shardrpc.Reply{Answer: shardrpc.OK}, CommitTS: c,
		Succeeded: out.Succeeded, Results: out.Results, Written: written,
	}, ops, nil
}

// author is what all versions of a transaction have in common.
type author struct {
	txn txn.ID
	txn.Annotation
	request *txn.Request // that the version of anchor carries out; nil: none
	anchor  txn.Key
}

// makeOps turns writes into versions at c, on top of the newest ones below it.
// A delete or extend of what is missing makes none. What requests they push out
// of m, the ops say.
func makeOps(rd *mvcc.Reader, writes []txn.Write, by author, c txn.Timestamp, m memory) (
	[]op, []txn.Written, error,
) {
	ops := make([]op, 0, len(writes))
	written := make([]txn.Written, len(writes))
	size := 0 // of the versions, which one entry of the log has to hold
	for i := range writes {
		w := &writes[i]
		if n := len(w.Value.Data); n > txn.ValueBytesMax {
			e := txn.Errorf(txn.Invalid, "value_too_large",
				"the value has %d bytes, the limit is %d", n, txn.ValueBytesMax)
			e.Key = w.Key
			return nil, nil, e
		}
		prev, err := rd.Get(w.Key, c-1)
		if err != nil {
			return nil, nil, err
		}
		var o op
		o, written[i] = makeOp(w, &prev, c, by)
		if !written[i].Wrote {
			continue
		}
		if o.evicted, err = m.evicts(rd, w.Key, c); err != nil {
			return nil, nil, err
		}
		ops = append(ops, o)
		if size += w.Size() + by.Size(); w.Kind == txn.KindExtend {
			size += len(prev.Value.Data)
		}
		if size > txn.WriteBytesMax {
			return nil, nil, versionsTooLarge()
		}
	}
	return ops, written, nil
}

// versionsTooLarge is for extends: each copies a value that nobody sent.
func versionsTooLarge() error {
	e := txn.Errorf(txn.Exhausted, "transaction_too_large",
		"the transaction writes more than %d bytes, the limit, with the values that it extends",
		txn.WriteBytesMax)
	e.Next = "nothing was done: extend fewer keys at a time"
	return e
}

func makeOp(w *txn.Write, prev *txn.Version, c txn.Timestamp, by author) (op, txn.Written) {
	v, wrote := w.Version(prev, c, by.txn)
	o := op{key: w.Key, grows: w.Kind != txn.KindDelete}
	if w.Kind == txn.KindSet {
		o.payload = len(w.Value.Data)
	}
	if wrote {
		v.Principal, v.Message = by.Principal, by.Message
		if by.request != nil && w.Key.Compare(by.anchor) == 0 {
			v.Request = by.request
		}
		o.value = mvcc.AppendVersion(nil, &v)
		o.keys, o.bytes = mvcc.LiveDelta(prev, &v)
		o.bytes += o.keys * int64(len(w.Key.User()))
	} else {
		v.Revision = txn.NoRevision
	}
	// Who asked knows that.
	v.Value.Data, v.Principal, v.Message, v.Request = nil, "", "", nil
	made := txn.Written{Key: w.Key, Wrote: wrote, Version: v, PrevRevision: prev.RevisionAt(c)}
	if prev.Live(c) {
		made.PrevExpiry = prev.Expiry
		o.bound = prev.Expiry
	}
	return o, made
}
