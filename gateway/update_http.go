package gateway

import (
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// updateIn is what all updates have in common.
type updateIn struct {
	keyText
	conditionsIn
	durabilityIn
	TTLIfNewMs int64 `json:"ttl_if_new_ms"`
	NoHistory  bool  `json:"no_history"`
}

func (u *updateIn) wire(keyspace string) (req *cairnv1.UpdateRequest, failed *txn.Error) {
	req = &cairnv1.UpdateRequest{
		Keyspace: keyspace, TtlIfNewMs: u.TTLIfNewMs, NoHistory: u.NoHistory,
	}
	if req.Key, failed = u.bytes(); failed != nil {
		return nil, failed
	}
	if req.Conditions, failed = u.conditions(); failed != nil {
		return nil, failed
	}
	req.Durability, failed = u.durability()
	return req, failed
}

// incrementIn adds a number. One with a point or an exponent, or of the type "float", is a float.
type incrementIn struct {
	updateIn
	By         jsontext.Value `json:"by"`
	Type       string         `json:"type"`
	LowerBound jsontext.Value `json:"lower_bound"`
	UpperBound jsontext.Value `json:"upper_bound"`
}

func (i *incrementIn) wire(keyspace string) (*cairnv1.UpdateRequest, *txn.Error) {
	req, failed := i.updateIn.wire(keyspace)
	if failed != nil {
		return nil, failed
	}
	by, failed := jsonToValue("by", i.By, i.Type, "")
	if failed != nil {
		return nil, failed
	}
	kind := typeName(by) // of the bounds, too: 5 bounds a float as well as 5.0 does
	if i.LowerBound != nil {
		if req.LowerBound, failed = jsonToValue("lower_bound", i.LowerBound, kind, ""); failed != nil {
			return nil, failed
		}
	}
	if i.UpperBound != nil {
		if req.UpperBound, failed = jsonToValue("upper_bound", i.UpperBound, kind, ""); failed != nil {
			return nil, failed
		}
	}
	req.By = &cairnv1.UpdateRequest_Increment{Increment: by}
	return req, nil
}

func (i *incrementIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	req, failed := i.wire(keyspace)
	return &cairnv1.Op{Request: &cairnv1.Op_Update{Update: req}}, failed
}

type incrementBody struct {
	incrementIn
	noteIn
}

func (b *incrementBody) request(t *httpTarget) (*cairnv1.UpdateRequest, *txn.Error) {
	req, failed := b.wire(t.keyspace)
	return noted(req, failed, t, &b.noteIn)
}

// noted completes an update that is a transaction of its own.
func noted(
	req *cairnv1.UpdateRequest, failed *txn.Error, t *httpTarget, in *noteIn,
) (*cairnv1.UpdateRequest, *txn.Error) {
	if failed != nil {
		return nil, failed
	}
	n, failed := t.note(in)
	req.RequestId, req.Message = n.requestID, n.message
	return req, failed
}

// operandIn is an update by a value: append, min or max.
type operandIn struct {
	updateIn
	valueIn
}

func (o *operandIn) wire(
	keyspace string, set func(*cairnv1.UpdateRequest, *cairnv1.Value),
) (*cairnv1.UpdateRequest, *txn.Error) {
	req, failed := o.updateIn.wire(keyspace)
	if failed != nil {
		return nil, failed
	}
	v, failed := o.valueIn.wire()
	if failed != nil {
		return nil, failed
	}
	set(req, v)
	return req, nil
}

func setAppend(req *cairnv1.UpdateRequest, v *cairnv1.Value) {
	req.By = &cairnv1.UpdateRequest_Append{Append: v}
}

func setMin(req *cairnv1.UpdateRequest, v *cairnv1.Value) {
	req.By = &cairnv1.UpdateRequest_Min{Min: v}
}

func setMax(req *cairnv1.UpdateRequest, v *cairnv1.Value) {
	req.By = &cairnv1.UpdateRequest_Max{Max: v}
}

type operandBody struct {
	operandIn
	noteIn
}

func (b *operandBody) appending(t *httpTarget) (*cairnv1.UpdateRequest, *txn.Error) {
	req, failed := b.wire(t.keyspace, setAppend)
	return noted(req, failed, t, &b.noteIn)
}

func (b *operandBody) minimum(t *httpTarget) (*cairnv1.UpdateRequest, *txn.Error) {
	req, failed := b.wire(t.keyspace, setMin)
	return noted(req, failed, t, &b.noteIn)
}

func (b *operandBody) maximum(t *httpTarget) (*cairnv1.UpdateRequest, *txn.Error) {
	req, failed := b.wire(t.keyspace, setMax)
	return noted(req, failed, t, &b.noteIn)
}

// updateOut is what came of an update.
type updateOut struct {
	Updated      bool            `json:"updated"`
	Type         string          `json:"type,omitempty"`
	Value        json.RawMessage `json:"value,omitempty"`
	Encoding     string          `json:"encoding,omitempty"`
	ValueBytes   int64           `json:"value_bytes"`
	Revision     int64           `json:"revision"`
	PrevRevision int64           `json:"prev_revision"`
	CommitTS     int64           `json:"commit_ts"`
	CreateTS     int64           `json:"create_ts"`
	ExpiresAt    int64           `json:"expires_at"`
}

func updateAnswer(resp *cairnv1.UpdateResponse) any {
	out := &updateOut{
		Updated: resp.GetUpdated(), Revision: resp.GetRevision(),
		PrevRevision: resp.GetPrevRevision(), CommitTS: resp.GetCommitTs(),
		CreateTS: resp.GetCreateTs(), ExpiresAt: resp.GetExpiresAt(),
		ValueBytes: resp.GetValueBytes(),
	}
	if v := resp.GetValue(); v != nil {
		out.Type = typeName(v)
		out.Value, out.Encoding = jsonValue(v)
	}
	return out
}
