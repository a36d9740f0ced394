package shard

import (
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// remember makes w latch the key at which its request is remembered: whoever
// holds that latch sees the request's effect and its row, or neither.
func (w *write) remember(q *txn.Request, anchor txn.Key) {
	if q == nil {
		return
	}
	w.request, w.anchor = q, anchor
	w.latch.Writes = append(w.latch.Writes, anchor)
}

// requestDone looks at the row of w's request, before everything else. It has
// answered if another attempt has done what w is to do, or may yet.
func (r *Replica) requestDone(w *write) (bool, error) {
	row, rec, err := r.requestRow(w.anchor, w.request)
	if err != nil || mutant.On(mutant.C12) {
		return false, err
	}
	verdict, at := row.Judge(w.request, w.txn, &rec)
	switch {
	case verdict == txn.RequestProceed:
		return false, nil
	case verdict == txn.RequestRepeat && w.runsRequest():
		return true, r.repeatCommit(w, row.Txn, at)
	case verdict == txn.RequestRepeat: // to be answered by who knows all of it
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonRepeated, RepeatAt: at,
			Writer: row.Txn})
	case verdict == txn.RequestBusy:
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonOpen, Blocker: w.attemptOf(&row)})
	case verdict == txn.RequestAborted:
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonForgone, Key: w.anchor})
	default:
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonInvalid, Err: txn.ReusedRequest(w.anchor)})
	}
	return true, nil
}

// runsRequest reports whether w's program is what its request asks for: it may
// also be what became of that on another state.
func (w *write) runsRequest() bool {
	return w.commit != nil && w.commit.Program.Fingerprint() == w.request.Fingerprint
}

// requestRow is what is remembered of a request, and if that is an open row what is
// known of the attempt that decides it. A version says the last word: nobody
// writes a row of a request that one says is done.
func (r *Replica) requestRow(
	anchor txn.Key, q *txn.Request,
) (row txn.RequestRow, rec txn.Record, err error) {
	row, err = r.carriedOut(anchor, q)
	if err != nil || row.Status == txn.Committed || !r.rows.mayHave(anchor, q.ID) {
		return row, rec, err
	}
	row, err = mvcc.GetRequest(r.o.State, anchor, q.ID)
	if err != nil || row.Status != txn.Pending {
		return row, rec, err
	}
	rec, err = mvcc.GetRecord(r.o.State, anchor, row.Txn)
	if status, commit, known := r.outcome(row.Txn); known && !rec.Status.Final() {
		rec.Status, rec.CommitTS = status, commit
	}
	return row, rec, err
}

// attemptOf is the undecided attempt that an open row is of.
func (w *write) attemptOf(row *txn.RequestRow) *shardrpc.Blocker {
	return &shardrpc.Blocker{Key: w.anchor, Txn: row.Txn, Primary: w.anchor, BaseTS: row.BaseTS}
}

// remember makes c write the row of q too, if there is one.
func (c *command) remember(q *txn.Request) {
	if q != nil {
		c.flags |= flagRequest
		c.request = *q
	}
}

// putRequest writes the row of c's request at its anchor.
func (a *applying) putRequest(c *command, status txn.Status) {
	row := &txn.RequestRow{Status: status, Fingerprint: c.request.Fingerprint, Txn: c.txn,
		BaseTS: c.baseTS}
	switch status {
	case txn.Committed:
		row.CommitTS = c.ts
	case txn.Aborted:
		row.BaseTS = c.ts
	}
	a.putRow(c.primary, c.request.ID, row)
}

func (a *applying) putRow(anchor txn.Key, id txn.RequestID, row *txn.RequestRow) {
	mvcc.PutRequest(a.batch, anchor, id, row)
	a.rows = append(a.rows, rowChange{key: string(mvcc.RequestKey(anchor, id)), put: true})
}

func (a *applying) deleteRow(anchor txn.Key, id txn.RequestID) {
	mvcc.DeleteRequest(a.batch, anchor, id)
	a.rows = append(a.rows, rowChange{key: string(mvcc.RequestKey(anchor, id))})
}

// newInquiry latches the anchor, so that it comes before an attempt or after.
func newInquiry(id uint64, m *shardrpc.InquireRequest) *write {
	w := &write{id: id, inquire: m, baseTS: m.BaseTS, maxTS: txn.Forever, reads: &txn.ReadSet{}}
	w.remember(&txn.Request{ID: m.ID, Fingerprint: m.Fingerprint}, m.Anchor)
	return w
}

// evaluateInquiry tells what became of a request. Of one that has left no trace
// it writes that it is not to be carried out: what it tells is final, and so
// will be what a late copy of the request is told.
func (r *Replica) evaluateInquiry(w *write) {
	row, rec, err := r.requestRow(w.anchor, w.request)
	if err != nil {
		r.fail(err)
		return
	}
	resp := &shardrpc.InquireResponse{Answer: shardrpc.OK, Status: txn.Aborted}
	var asked *txn.Request
	if w.request.Fingerprint != 0 {
		asked = w.request
	}
	verdict, at := row.Judge(asked, 0, &rec)
	switch {
	case verdict == txn.RequestReused:
		resp.Answer = shardrpc.Refused
	case verdict == txn.RequestProceed && r.mu.dropped.has(w.anchor):
		resp.Answer = shardrpc.Gone // it may have been carried out before
	case verdict == txn.RequestProceed && w.inquire.Prevent:
		c := &command{kind: cmdForgo, ts: w.baseTS, primary: w.anchor, request: *w.request}
		r.proposeFor(w, c, func() { r.reply(w.id, resp) })
		return
	case verdict == txn.RequestProceed:
		resp.Status = txn.Absent
	case verdict == txn.RequestRepeat:
		resp.Status, resp.CommitTS, resp.Txn = txn.Committed, at, row.Txn
	case verdict == txn.RequestBusy:
		resp.Status, resp.Blocker = txn.Pending, w.attemptOf(&row)
	}
	r.assert(w.id, resp, w.response(shardrpc.Reply{Answer: shardrpc.Retry}))
	r.release(w)
}
