package gateway

import (
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// The operations of a transaction that have no body of their own outside of it.

type getIn struct{ keyText }

func (i *getIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	key, failed := i.bytes()
	return &cairnv1.Op{Request: &cairnv1.Op_Get{
		Get: &cairnv1.GetRequest{Keyspace: keyspace, Key: key},
	}}, failed
}

type existsIn struct{ keyText }

func (i *existsIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	key, failed := i.bytes()
	return &cairnv1.Op{Request: &cairnv1.Op_Exists{
		Exists: &cairnv1.ExistsRequest{Keyspace: keyspace, Key: key},
	}}, failed
}

type setOpIn struct {
	setIn
	ReturnPrev bool `json:"return_prev"`
}

func (i *setOpIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	item, failed := i.item()
	return &cairnv1.Op{Request: &cairnv1.Op_Set{Set: &cairnv1.SetRequest{
		Keyspace: keyspace, Key: item.GetKey(), Value: item.GetValue(),
		Conditions: item.GetConditions(), TtlMs: item.GetTtlMs(), KeepTtl: item.GetKeepTtl(),
		NoHistory: item.GetNoHistory(), ReturnPrev: i.ReturnPrev,
	}}}, failed
}

type deleteIn struct {
	keyText
	conditionsIn
	ReturnPrev bool `json:"return_prev"`
}

func (i *deleteIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	req := &cairnv1.DeleteRequest{Keyspace: keyspace, ReturnPrev: i.ReturnPrev}
	var failed *txn.Error
	if req.Key, failed = i.bytes(); failed != nil {
		return nil, failed
	}
	req.Conditions, failed = i.conditions()
	return &cairnv1.Op{Request: &cairnv1.Op_Delete{Delete: req}}, failed
}

type rangeIn struct {
	selectIn
	Limit     int64 `json:"limit"`
	Reverse   bool  `json:"reverse"`
	KeysOnly  bool  `json:"keys_only"`
	CountOnly bool  `json:"count_only"`
}

func (i *rangeIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	sel, failed := i.selection()
	return &cairnv1.Op{Request: &cairnv1.Op_Range{Range: &cairnv1.RangeRequest{
		Keyspace: keyspace, Select: sel, Limit: i.Limit, Reverse: i.Reverse,
		KeysOnly: i.KeysOnly, CountOnly: i.CountOnly,
	}}}, failed
}

type appendIn struct{ operandIn }

func (i *appendIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	req, failed := i.wire(keyspace, setAppend)
	return &cairnv1.Op{Request: &cairnv1.Op_Update{Update: req}}, failed
}

type minIn struct{ operandIn }

func (i *minIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	req, failed := i.wire(keyspace, setMin)
	return &cairnv1.Op{Request: &cairnv1.Op_Update{Update: req}}, failed
}

type maxIn struct{ operandIn }

func (i *maxIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	req, failed := i.wire(keyspace, setMax)
	return &cairnv1.Op{Request: &cairnv1.Op_Update{Update: req}}, failed
}
