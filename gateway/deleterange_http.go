package gateway

import (
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// deleteRangeIn removes all selected keys. It has to select some: a prefix may be empty.
type deleteRangeIn struct {
	selectIn
	DryRun bool `json:"dry_run"`
}

func (d *deleteRangeIn) wire(keyspace string) (*cairnv1.DeleteRangeRequest, *txn.Error) {
	sel, failed := d.selection()
	return &cairnv1.DeleteRangeRequest{Keyspace: keyspace, Select: sel, DryRun: d.DryRun}, failed
}

func (d *deleteRangeIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	req, failed := d.wire(keyspace)
	return &cairnv1.Op{Request: &cairnv1.Op_DeleteRange{DeleteRange: req}}, failed
}

type deleteRangeBody struct {
	deleteRangeIn
	noteIn
}

func (b *deleteRangeBody) request(t *httpTarget) (*cairnv1.DeleteRangeRequest, *txn.Error) {
	req, failed := b.wire(t.keyspace)
	if failed != nil {
		return nil, failed
	}
	n, failed := t.note(&b.noteIn)
	req.RequestId, req.Message = n.requestID, n.message
	return req, failed
}

type deleteRangeOut struct {
	Count    int64 `json:"count"`
	CommitTS int64 `json:"commit_ts"`
}

func deleteRangeAnswer(resp *cairnv1.DeleteRangeResponse) any {
	return &deleteRangeOut{Count: resp.GetCount(), CommitTS: resp.GetCommitTs()}
}
