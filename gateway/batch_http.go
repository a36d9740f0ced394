package gateway

import (
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// keysIn is many keys as a body names them.
type keysIn struct {
	Keys        batchIn[string] `json:"keys"`
	KeyEncoding string          `json:"key_encoding"` // of all of them
}

func (k *keysIn) bytes() ([][]byte, *txn.Error) {
	keys := make([][]byte, len(k.Keys.list))
	for i, text := range k.Keys.list {
		var failed *txn.Error
		if keys[i], failed = decodeText("key", text, k.KeyEncoding); failed != nil {
			return nil, within(failed, "/keys/%d", i)
		}
	}
	return keys, nil
}

type batchGetBody struct {
	keysIn
	durabilityIn
	RequireAll bool     `json:"require_all"`
	AsOf       *instant `json:"as_of"`
}

func (b *batchGetBody) request(
	t *httpTarget,
) (req *cairnv1.BatchGetRequest, failed *txn.Error) {
	req = &cairnv1.BatchGetRequest{
		Keyspace: t.keyspace, RequireAll: b.RequireAll, AsOf: b.AsOf.micros(),
	}
	if b.Keys.count > BatchKeysMax {
		return nil, tooManyKeys(b.Keys.count)
	}
	if req.Keys, failed = b.bytes(); failed != nil {
		return nil, failed
	}
	req.Durability, failed = b.durability()
	return req, failed
}

type batchGetOut struct {
	Results []any `json:"results"`
	ReadTS  int64 `json:"read_ts"`
}

func batchGetAnswer(resp *cairnv1.BatchGetResponse) any {
	out := &batchGetOut{
		Results: make([]any, len(resp.GetResults())), ReadTS: resp.GetReadTs(),
	}
	for i, r := range resp.GetResults() {
		if out.Results[i] = notFoundBody(r.GetEntry().GetKey()); r.GetFound() {
			out.Results[i] = &getOut{Found: true, jsonEntry: jsonEntryOf(r.GetEntry())}
		}
	}
	return out
}

// setIn writes one key.
type setIn struct {
	keyText
	valueIn
	conditionsIn
	TTLMs     int64 `json:"ttl_ms"`
	KeepTTL   bool  `json:"keep_ttl"`
	NoHistory bool  `json:"no_history"`
}

func (s *setIn) item() (item *cairnv1.SetItem, failed *txn.Error) {
	item = &cairnv1.SetItem{TtlMs: s.TTLMs, KeepTtl: s.KeepTTL, NoHistory: s.NoHistory}
	if item.Key, failed = s.bytes(); failed != nil {
		return nil, failed
	}
	if item.Value, failed = s.valueIn.wire(); failed != nil {
		return nil, failed
	}
	item.Conditions, failed = s.conditions()
	return item, failed
}

type batchSetBody struct {
	durabilityIn
	noteIn
	Items      batchIn[setIn] `json:"items"`
	RequireAll bool           `json:"require_all"`
}

func (b *batchSetBody) request(
	t *httpTarget,
) (req *cairnv1.BatchSetRequest, failed *txn.Error) {
	if b.Items.count > BatchKeysMax {
		return nil, tooManyItems("item", b.Items.count)
	}
	items := b.Items.list
	req = &cairnv1.BatchSetRequest{
		Keyspace: t.keyspace, RequireAll: b.RequireAll, Items: make([]*cairnv1.SetItem, len(items)),
	}
	for i := range items {
		if req.Items[i], failed = items[i].item(); failed != nil {
			return nil, within(failed, "/items/%d", i)
		}
	}
	if req.Durability, failed = b.durability(); failed != nil {
		return nil, failed
	}
	n, failed := t.note(&b.noteIn)
	req.RequestId, req.Message = n.requestID, n.message
	return req, failed
}

type batchSetOut struct {
	Results  []*setOut `json:"results"`
	CommitTS int64     `json:"commit_ts"`
}

func batchSetAnswer(resp *cairnv1.BatchSetResponse) any {
	out := &batchSetOut{
		Results: make([]*setOut, len(resp.GetResults())), CommitTS: resp.GetCommitTs(),
	}
	for i, r := range resp.GetResults() {
		out.Results[i] = setAnswer(r)
	}
	return out
}

type batchDeleteBody struct {
	keysIn
	durabilityIn
	noteIn
	RequireAll bool `json:"require_all"`
}

func (b *batchDeleteBody) request(
	t *httpTarget,
) (req *cairnv1.BatchDeleteRequest, failed *txn.Error) {
	if b.Keys.count > BatchKeysMax {
		return nil, tooManyItems("key", b.Keys.count)
	}
	req = &cairnv1.BatchDeleteRequest{Keyspace: t.keyspace, RequireAll: b.RequireAll}
	if req.Keys, failed = b.bytes(); failed != nil {
		return nil, failed
	}
	if req.Durability, failed = b.durability(); failed != nil {
		return nil, failed
	}
	n, failed := t.note(&b.noteIn)
	req.RequestId, req.Message = n.requestID, n.message
	return req, failed
}

type batchDeleteOut struct {
	Results  []*deleteOut `json:"results"`
	CommitTS int64        `json:"commit_ts"`
}

func batchDeleteAnswer(resp *cairnv1.BatchDeleteResponse) any {
	out := &batchDeleteOut{
		Results: make([]*deleteOut, len(resp.GetResults())), CommitTS: resp.GetCommitTs(),
	}
	for i, r := range resp.GetResults() {
		out.Results[i] = deleteAnswer(r)
	}
	return out
}
