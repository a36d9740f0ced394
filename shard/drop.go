package shard

import (
	"maps"
	"slices"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// dropped is the keyspaces that are deleted, with the time before which a request
// may have been carried out there of which nothing is left; 0: all is left yet.
// It is replaced, never changed.
type dropped map[txn.KeyspaceID]txn.Timestamp

// dropLookMax is how many transactions one answer to a DropLook names.
const dropLookMax = 64

func (d dropped) has(k txn.Key) bool {
	if len(d) == 0 {
		return false
	}
	_, ok := d[k.Keyspace()]
	return ok
}

// among is a deleted keyspace that keys or spans lie in. A span lies in one.
func (d dropped) among(keys []txn.Key, spans []txn.Span) (txn.KeyspaceID, bool) {
	if len(d) == 0 {
		return 0, false
	}
	for _, k := range keys {
		if d.has(k) {
			return k.Keyspace(), true
		}
	}
	for _, s := range spans {
		if len(s.Start) >= 4 && d.has(s.Start) {
			return s.Start.Keyspace(), true
		}
	}
	return 0, false
}

// refusesDropped answers w if it touches a deleted keyspace. Its idempotence was
// checked: while all is left there the refusal is a proof, and so it is for what
// began when every shard refused already. Of other requests to write there
// nothing can be told any more.
func (r *Replica) refusesDropped(w *write) bool {
	d := r.mu.dropped
	id, hit := d.among(w.latch.Writes, nil)
	switch {
	case hit && w.baseTS <= d[id]:
		r.answerWrite(w, shardrpc.Reply{Answer: shardrpc.Gone})
		r.release(w)
		return true
	case !hit:
		if id, hit = d.among(w.latch.Reads, w.latch.ReadSpans); !hit {
			return false
		}
	}
	r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonInvalid, Err: txn.DroppedKeyspace(id)})
	return true
}

// floor is at or below which no record is made at primary any more (A6): in a
// deleted keyspace none ever is.
func (r *Replica) floor(primary txn.Key) txn.Timestamp {
	if r.mu.dropped.has(primary) {
		return txn.Forever
	}
	return r.recordFloor()
}

// refuses reports whether c would leave something in a deleted keyspace.
func (a *applying) refuses(c *command) bool {
	if len(a.dropped) == 0 {
		return false
	}
	switch c.kind {
	case cmdWrite, cmdPrewrite, cmdForgo:
	default:
		return false
	}
	if c.kind == cmdForgo || c.flags&(flagRecord|flagRequest) != 0 {
		if a.dropped.has(c.primary) {
			return true
		}
	}
	for i := range c.ops {
		if a.dropped.has(c.ops[i].key) {
			return true
		}
	}
	return false
}

// drop takes a step of the deletion of a keyspace.
func (r *Replica) drop(id uint64, m *shardrpc.DropRequest) {
	a, rejected := r.rejects(m.Target, nil, nil)
	at, marked := r.mu.dropped[m.Keyspace]
	c := &command{kind: cmdDrop, keyspace: m.Keyspace}
	switch {
	case rejected:
	case m.Step == shardrpc.DropMark:
		if marked {
			a = shardrpc.OK
			break
		}
		r.proposeDrop(id, c)
		return
	case !marked:
		a = shardrpc.Refused
	case m.Step == shardrpc.DropLook:
		r.dropLook(id, m)
		return
	case at != 0:
		a = shardrpc.OK
	case len(r.mu.intents.Overlapping(txn.KeyspaceSpan(m.Keyspace), txn.Forever)) > 0:
		a = shardrpc.Refused // it was not looked whether it may
	default:
		c.ts = m.At
		r.proposeDrop(id, c)
		return
	}
	r.reply(id, &shardrpc.DropResponse{Answer: a})
}

func (r *Replica) proposeDrop(id uint64, c *command) {
	r.await(c, func(a applied) {
		resp := &shardrpc.DropResponse{Answer: shardrpc.Retry}
		if a.ok {
			resp.Answer = shardrpc.OK
		}
		r.reply(id, resp)
	})
}

// dropLook finds the transactions of which something is left in a keyspace, or
// whose outcome depends on it: those with an intent there, those whose record
// there somebody may yet ask for, and those that are staging with a key there.
func (r *Replica) dropLook(id uint64, m *shardrpc.DropRequest) {
	resp := &shardrpc.DropResponse{Answer: shardrpc.OK}
	for _, i := range r.mu.intents.Overlapping(txn.KeyspaceSpan(m.Keyspace), txn.Forever) {
		if len(resp.Blocked) == dropLookMax {
			break
		}
		resp.Blocked = append(resp.Blocked, *blockerOf(i))
	}
	if primary, _, err := mvcc.DecodeRecordKey(m.From); len(m.From) > 0 &&
		(err != nil || !r.o.Route.Span.Contains(primary)) {
		r.reply(id, &shardrpc.DropResponse{Answer: shardrpc.Refused})
		return
	}
	if len(resp.Blocked) == 0 {
		c := &collector{bounds: mvcc.RecordBounds, from: m.From}
		c.look = func(key, value []byte, _ *command) error {
			return dropLookRecord(m.Keyspace, resp, key, value)
		}
		next, err := r.walk(c, new(command))
		if err != nil {
			r.fail(err)
			return
		}
		resp.Next = next
	}
	r.assert(id, resp, &shardrpc.DropResponse{Answer: shardrpc.Retry})
}

func dropLookRecord(
	ks txn.KeyspaceID, resp *shardrpc.DropResponse, key, value []byte,
) error {
	primary, id, err := mvcc.DecodeRecordKey(key)
	if err != nil {
		return err
	}
	rec, err := mvcc.DecodeRecord(primary, id, value)
	if err != nil || rec.Done {
		return err
	}
	in := primary.Keyspace() == ks
	for _, k := range rec.Keys {
		in = in || k.Keyspace() == ks
	}
	if in && len(resp.Blocked) < dropLookMax {
		primary = primary.Clone()
		resp.Blocked = append(resp.Blocked,
			shardrpc.Blocker{Key: primary, Txn: id, Primary: primary, BaseTS: rec.BaseTS})
	}
	return nil
}

// applyDrop marks a keyspace (ts 0), or removes all that is left of one.
func (r *Replica) applyDrop(a *applying, c *command) (ok bool) {
	at, marked := a.dropped[c.keyspace]
	switch {
	case c.ts == 0 && marked, c.ts != 0 && at != 0:
		return true
	case c.ts != 0 && !marked:
		return false
	}
	shard := uint64(r.o.Route.Shard)
	a.dropped = maps.Clone(a.dropped)
	a.dropped[c.keyspace] = c.ts
	mvcc.PutDropped(a.batch, shard, c.keyspace, c.ts)
	if c.ts == 0 {
		return true
	}
	r.o.Ephemeral.DropKeyspace(c.keyspace)
	a.learn(versionChange{kind: versionsErased})
	mvcc.EraseSpan(a.batch, txn.KeyspaceSpan(c.keyspace).Intersect(r.o.Route.Span))
	u := a.used(c.keyspace)
	a.state.Keys -= u.Keys
	a.state.Bytes -= u.LiveBytes
	*u = txn.Usage{}
	return true
}

// usage tells what the keyspaces hold here.
func (r *Replica) usage(id uint64, m *shardrpc.UsageRequest) {
	a, rejected := r.rejects(m.Target, nil, nil)
	resp := &shardrpc.UsageResponse{Answer: a}
	if !rejected {
		resp.Answer = shardrpc.OK
		for _, ks := range slices.Sorted(maps.Keys(r.mu.usage)) {
			resp.Usage = append(resp.Usage, shardrpc.KeyspaceUsage{ID: ks, Usage: r.mu.usage[ks]})
		}
	}
	r.reply(id, resp)
}

// loadKeyspaces reads what a replica knows of keyspaces. What was written before
// they were counted counts as one version a key.
func loadKeyspaces(
	o *Options, state *mvcc.ShardState,
) (gone dropped, used map[txn.KeyspaceID]txn.Usage, err error) {
	shard := uint64(o.Route.Shard)
	if gone, err = mvcc.GetDropped(o.State, shard); err != nil {
		return nil, nil, err
	}
	used, err = mvcc.GetUsage(o.State, shard)
	if err == nil && len(used) == 0 && state.Keys != 0 {
		used[txn.DefaultKeyspace] = txn.Usage{Keys: state.Keys, LiveBytes: state.Bytes,
			Versions: state.Keys, Bytes: state.Bytes}
	}
	return gone, used, err
}
