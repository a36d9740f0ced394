package shard

import (
	"bytes"
	"errors"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// volatileMax is how many timestamps the ephemeral requests of a shard may wait for. A batch may
// need one for each of its keys; requests over it get Retry.
const volatileMax = 4 * txn.WriteKeysMax

// volatile is the ephemeral keys of a leadership, and who asks for them. What it answers is
// evaluated in the order of timestamps that came from the oracle after the request did: so all
// that is done to a key has one order, which is that of its timestamps, and what has expired
// for one is not there for the next.
type volatile struct {
	life   *life
	calls  []*volatileCall // unanswered, in order
	stamps int             // that they wait for
}

// volatileCall is a request that waits for its timestamps: one for each of its writes.
type volatileCall struct {
	id    uint64
	ops   []txn.Op
	times []txn.Timestamp
	wants int
	lead  *leadership // that admitted it
}

// ephemeral admits a request, or answers at once.
func (r *Replica) ephemeral(id uint64, m *shardrpc.EphemeralRequest) {
	c := &volatileCall{id: id, ops: m.Ops, lead: r.lead}
	keys := make([]txn.Key, len(m.Ops))
	for i := range m.Ops {
		keys[i] = m.Ops[i].Key
		if m.Ops[i].Kind.Writes() {
			c.wants++
		}
	}
	c.wants = max(c.wants, 1)
	a, rejected := r.rejects(m.Target, keys, nil)
	if !rejected && r.lead.volatile.stamps+c.wants > volatileMax {
		a, rejected = shardrpc.Retry, true
	}
	if rejected {
		r.reply(id, &shardrpc.EphemeralResponse{Answer: a})
		return
	}
	if ks, hit := r.mu.dropped.among(keys, nil); hit {
		r.reply(id, &shardrpc.EphemeralResponse{
			Answer: shardrpc.OK, Err: txn.DroppedKeyspace(ks),
		})
		return
	}
	l := r.lead
	l.volatile.calls = append(l.volatile.calls, c)
	l.volatile.stamps += c.wants
	for range c.wants {
		l.oracle = append(l.oracle, func(ts txn.Timestamp) { r.stampEphemeral(c, ts) })
	}
}

// stampEphemeral gives c its next timestamp. With the last one it is its turn: timestamps come in
// the order in which they were asked for.
func (r *Replica) stampEphemeral(c *volatileCall, ts txn.Timestamp) {
	if r.lead != c.lead {
		return
	}
	v := &r.lead.volatile
	v.stamps--
	if c.times = append(c.times, ts); len(c.times) < c.wants {
		return
	}
	v.calls = v.calls[1:]
	resp, wrote, err := v.life.run(c.ops, c.times)
	switch {
	case err != nil:
		r.fail(err)
	case wrote: // others may have seen it by the time that it is lost
		r.assert(c.id, resp, &shardrpc.EphemeralResponse{Answer: shardrpc.Gone})
	default:
		r.assert(c.id, resp, &shardrpc.EphemeralResponse{Answer: shardrpc.Retry})
	}
}

// dropVolatile forgets the keys and answers who waits.
func (r *Replica) dropVolatile(v *volatile) {
	v.life.end()
	for _, c := range v.calls {
		r.reply(c.id, &shardrpc.EphemeralResponse{Answer: shardrpc.Retry})
	}
}

// run carries out operations one after the other, the writes at times. It stops at the first that
// cannot be.
func (l *life) run(ops []txn.Op, times []txn.Timestamp) (
	resp *shardrpc.EphemeralResponse, wrote bool, err error,
) {
	resp = &shardrpc.EphemeralResponse{Answer: shardrpc.OK}
	size := 0
	for i := range ops {
		resp.At = times[0]
		if ops[i].Kind.Writes() && len(times) > 1 {
			times = times[1:]
		}
		res, err := l.do(&ops[i], resp.At)
		if !ops[i].Kind.Writes() { // those answer no values
			size += len(res.Entry.Key) + len(res.Entry.Value.Data)
		}
		if err == nil && len(ops) > 1 && size > txn.AnswerBytesMax {
			err = txn.Errorf(txn.Exhausted, "answer_too_large",
				"the first %d keys already hold more than %d bytes, the limit of an answer",
				i+1, txn.AnswerBytesMax)
		}
		if e, ours := errors.AsType[*txn.Error](err); ours && e.Kind != txn.Internal {
			resp.Err = e
			return resp, wrote, nil
		}
		if err != nil {
			return nil, wrote, err
		}
		wrote = wrote || ops[i].Kind.Writes() && res.OK
		resp.Results = append(resp.Results, res)
	}
	return resp, wrote, nil
}

// do carries out one operation at time at, as a transaction of its own.
func (l *life) do(op *txn.Op, at txn.Timestamp) (txn.Result, error) {
	p := txn.Program{Then: []txn.Op{*op}}
	out, err := p.Run(lifeView{l, at}, at)
	if err != nil {
		return txn.Result{}, err
	}
	written := make([]txn.Written, len(out.Writes))
	for i := range out.Writes {
		if written[i], err = l.write(&out.Writes[i], at); err != nil {
			return txn.Result{}, err
		}
	}
	txn.Fill(out.Ops, out.Results, written)
	return out.Results[0], nil
}

// write makes a version at time at, on top of the newest one.
func (l *life) write(w *txn.Write, at txn.Timestamp) (txn.Written, error) {
	if n := len(w.Value.Data); n > txn.ValueBytesMax {
		e := txn.Errorf(txn.Invalid, "value_too_large",
			"the value has %d bytes, the limit is %d", n, txn.ValueBytesMax)
		e.Key = w.Key
		return txn.Written{}, e
	}
	prev := l.get(w.Key, at)
	made := txn.Written{Key: w.Key, PrevRevision: prev.RevisionAt(at)}
	if made.Version, made.Wrote = w.Version(&prev, at, 0); !made.Wrote {
		made.Version.Revision = txn.NoRevision
		return made, nil
	}
	if w.Kind == txn.KindSet { // it may share the request's memory
		made.Version.Value.Data = bytes.Clone(made.Version.Value.Data)
	}
	err := l.put(w.Key, &made.Version, at)
	made.Version.Value.Data = nil
	return made, err
}

// lifeView is the keys of a life at a time that is not before any that they were looked at.
type lifeView struct {
	*life
	at txn.Timestamp
}

func (v lifeView) Get(k txn.Key) (txn.Version, error) { return v.get(k, v.at), nil }

func (v lifeView) Scan(txn.Scan, func(txn.Entry) bool) error { return errNoRanges() }

func (v lifeView) Changed(txn.Span, txn.Timestamp) (bool, error) { return false, errNoRanges() }

func errNoRanges() error {
	return txn.Errorf(txn.Invalid, "ephemeral_unsupported", "ephemeral keys have no ranges")
}

var _ txn.View = lifeView{}
