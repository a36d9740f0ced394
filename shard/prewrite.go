package shard

import (
	"errors"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// newPrewrite latches what is written, the primary among it, and shares what
// is only read.
func newPrewrite(id uint64, m *shardrpc.PrewriteRequest) *write {
	w := &write{id: id, prewrite: m, txn: m.Txn, baseTS: m.BaseTS, maxTS: m.MaxTS,
		reads: &m.Reads, c: m.BaseTS}
	for i := range m.Writes {
		w.latch.Writes = append(w.latch.Writes, m.Writes[i].Key)
	}
	w.latchReads()
	return w
}

// evaluatePrewrite lays the intents at c. What is found to write nothing (a
// delete of a key that has expired meanwhile) leaves an intent all the same:
// recovery must find one on every key of the transaction.
func (r *Replica) evaluatePrewrite(w *write, rd *mvcc.Reader, resolves []*command) {
	m := w.prewrite
	if m.Record {
		if reason, err := r.recordAllows(m); err != nil || reason != "" {
			if r.failIf(err); err == nil {
				r.refuse(w, shardrpc.Reply{Reason: reason})
			}
			return
		}
	}
	ops, written, err := makeOps(rd, m.Writes, w.c, w.txn)
	switch e, ours := errors.AsType[*txn.Error](err); {
	case ours && e.Kind != txn.Internal:
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonInvalid, Err: e})
		return
	case err != nil:
		r.fail(err)
		return
	}
	r.pend(resolves...)
	cmd := &command{kind: cmdPrewrite, txn: w.txn, baseTS: w.baseTS, ts: w.c, maxTS: w.maxTS,
		age: m.Age, primary: m.Primary, hash: m.Hash, ops: ops}
	if m.Record {
		cmd.flags |= flagRecord
	}
	resp := &shardrpc.PrewriteResponse{
		Reply: shardrpc.Reply{Answer: shardrpc.OK}, TS: w.c, Written: written}
	r.proposeFor(w, cmd, func() { r.reply(w.id, resp) })
}

// recordAllows is A2 and A7: no record of the transaction exists, and none
// that old has been collected.
func (r *Replica) recordAllows(m *shardrpc.PrewriteRequest) (reason string, err error) {
	rec, err := mvcc.GetRecord(r.o.State, m.Primary, m.Txn)
	if err != nil {
		return "", err
	}
	if rec.Status != txn.Absent || m.BaseTS <= r.mu.state.RecordFloor {
		return shardrpc.ReasonDead, nil
	}
	return "", nil
}

// repeatPrewrite answers again what an earlier copy did at ts: the same c_i.
func (r *Replica) repeatPrewrite(w *write, ts txn.Timestamp) error {
	rd, err := r.versions(nil)
	if err != nil {
		return err
	}
	_, written, err := makeOps(rd, w.prewrite.Writes, ts, w.txn)
	if err != nil {
		return err
	}
	r.reply(w.id, &shardrpc.PrewriteResponse{
		Reply: shardrpc.Reply{Answer: shardrpc.OK}, TS: ts, Written: written})
	r.release(w)
	return nil
}
