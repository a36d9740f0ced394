package gateway

import (
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// revertIn brings one key back, or all selected ones.
type revertIn struct {
	selectIn
	Key      *string  `json:"key"`
	Revision *int64   `json:"revision"`
	AsOf     *instant `json:"as_of"`
	DryRun   bool     `json:"dry_run"`
}

func (v *revertIn) wire(keyspace string) (*cairnv1.RevertRequest, *txn.Error) {
	req := &cairnv1.RevertRequest{Keyspace: keyspace, DryRun: v.DryRun}
	sel, failed := v.selection()
	switch {
	case failed != nil:
		return nil, failed
	case v.Key != nil && sel != nil:
		return nil, badRequest("selection_ambiguous", "key excludes prefix, bucket, start, end and glob")
	case v.Key != nil:
		key, failed := decodeText("key", *v.Key, v.KeyEncoding)
		if failed != nil {
			return nil, failed
		}
		req.What = &cairnv1.RevertRequest_Key{Key: key}
	case sel != nil:
		req.What = &cairnv1.RevertRequest_Select{Select: sel}
	}
	switch {
	case v.Revision != nil && v.AsOf != nil:
		return nil, badRequest("revision_and_as_of", "revision and as_of exclude each other")
	case v.Revision != nil:
		req.To = &cairnv1.RevertRequest_Revision{Revision: *v.Revision}
	case v.AsOf != nil:
		req.To = &cairnv1.RevertRequest_AsOf{AsOf: int64(*v.AsOf)}
	}
	return req, nil
}

func (v *revertIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	req, failed := v.wire(keyspace)
	return &cairnv1.Op{Request: &cairnv1.Op_Revert{Revert: req}}, failed
}

type revertBody struct {
	revertIn
	noteIn
}

func (b *revertBody) request(t *httpTarget) (*cairnv1.RevertRequest, *txn.Error) {
	req, failed := b.wire(t.keyspace)
	if failed != nil {
		return nil, failed
	}
	n, failed := t.note(&b.noteIn)
	req.RequestId, req.Message = n.requestID, n.message
	return req, failed
}

type revertOut struct {
	Count    int64        `json:"count"`
	CommitTS int64        `json:"commit_ts"`
	Changes  []*changeOut `json:"changes,omitempty"`
}

// changeOut is what a revert does to one key; null stands for a missing key.
type changeOut struct {
	Key         string     `json:"key"`
	KeyEncoding string     `json:"key_encoding,omitempty"`
	From        *jsonEntry `json:"from"`
	To          *jsonEntry `json:"to"`
}

func revertAnswer(resp *cairnv1.RevertResponse) any {
	out := &revertOut{Count: resp.GetCount(), CommitTS: resp.GetCommitTs()}
	for _, c := range resp.GetChanges() {
		change := &changeOut{From: jsonEntryOf(c.GetFrom()), To: jsonEntryOf(c.GetTo())}
		change.Key, change.KeyEncoding = jsonText(c.GetKey())
		out.Changes = append(out.Changes, change)
	}
	return out
}
