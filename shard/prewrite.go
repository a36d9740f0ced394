package shard

import (
	"errors"

	"github.com/cairnkv/cairn/internal/mutant"
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
	w.keys = w.latch.Writes
	if m.Record != txn.Absent { // it may not be written
		w.latch.Writes = append(w.latch.Writes, m.Primary)
	}
	w.remember(m.Request, m.Primary)
	w.latchReads()
	return w
}

// evaluatePrewrite lays the intents at c. What would write nothing is refused:
// recovery must find an intent or a version on every key of the transaction. It
// is a delete or extend of what has expired since it was read, and max_ts stands
// before that too.
func (r *Replica) evaluatePrewrite(w *write, rd *mvcc.Reader, resolves []*command) {
	m := w.prewrite
	if m.Record != txn.Absent {
		if reason, err := r.recordAllows(m); err != nil || reason != "" {
			if r.failIf(err); err == nil {
				r.refuse(w, shardrpc.Reply{Reason: reason})
			}
			return
		}
	}
	ops, written, err := makeOps(rd, m.Writes, author{txn: w.txn, Annotation: m.Annotation}, w.c,
		r.memory())
	if e := r.overLimits(ops); err == nil && e != nil {
		err = e
	}
	switch e, ours := errors.AsType[*txn.Error](err); {
	case ours && e.Kind != txn.Internal:
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonInvalid, Err: e})
		return
	case err != nil:
		r.fail(err)
		return
	case len(ops) < len(m.Writes):
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonConflict, Key: nothingToDo(written)})
		return
	}
	r.pend(resolves...)
	cmd := &command{kind: cmdPrewrite, txn: w.txn, baseTS: w.baseTS, ts: w.c, maxTS: w.maxTS,
		age: m.Age, primary: m.Primary, hash: m.Hash, ops: ops}
	switch m.Record {
	case txn.Absent:
	case txn.Staging:
		cmd.flags, cmd.keys = flagRecord|flagStaging, m.Keys
	default:
		cmd.flags = flagRecord
	}
	cmd.remember(w.request)
	resp := &shardrpc.PrewriteResponse{
		Reply: shardrpc.Reply{Answer: shardrpc.OK}, TS: w.c, Written: written}
	r.proposeFor(w, cmd, func() {
		w.done = true
		r.reply(w.id, resp)
	})
}

// recordAllows is A2 and A7: no record of the transaction exists, and none
// that old has been collected.
func (r *Replica) recordAllows(m *shardrpc.PrewriteRequest) (reason string, err error) {
	rec, err := mvcc.GetRecord(r.o.State, m.Primary, m.Txn)
	if err != nil {
		return "", err
	}
	if rec.Status != txn.Absent && !mutant.On(mutant.A2) || m.BaseTS <= r.floor(m.Primary) {
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
	_, written, err := makeOps(rd, w.prewrite.Writes, author{txn: w.txn}, ts, memory{})
	if err != nil {
		return err
	}
	w.done = true
	r.reply(w.id, &shardrpc.PrewriteResponse{
		Reply: shardrpc.Reply{Answer: shardrpc.OK}, TS: ts, Written: written})
	r.release(w)
	return nil
}

// nothingToDo is the key of a write that comes to nothing.
func nothingToDo(written []txn.Written) txn.Key {
	for i := range written {
		if !written[i].Wrote {
			return written[i].Key
		}
	}
	return nil
}

// recordPrewritten is alreadyDone for a prewrite of the record alone. What it
// read was read at base_ts: nothing else is allowed to it.
func (r *Replica) recordPrewritten(w *write) (bool, error) {
	rec, err := mvcc.GetRecord(r.o.State, w.prewrite.Primary, w.txn)
	if err != nil || rec.Status == txn.Absent || rec.Status == txn.Aborted {
		return false, err
	}
	return true, r.repeatPrewrite(w, w.baseTS)
}
