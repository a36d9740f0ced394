package shard

import (
	"encoding/binary"
	"testing"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Updates of ephemeral keys are those of others: a bound, a type and an expiry count as they do there.
func TestEphemeralUpdates(t *testing.T) {
	w := newWorld(t)
	upper := txn.IntValue(6)
	add := txn.Op{Kind: txn.OpUpdate, Update: txn.UpdateAdd, Key: key("n"), Value: txn.IntValue(5),
		Upper: &upper, TTL: 100}
	w.requestTo(w.r, "", ephemeral(add))
	w.settle()
	w.flush()
	got := w.r.lead.volatile.life.get(key("n"), 0)
	if got.Value.Int() != 5 || got.Revision != 0 || got.Expiry == 0 {
		t.Fatalf("%+v", got)
	}
	w.ephemeral(add) // over the bound
	add.Value, add.Upper = txn.IntValue(-7), nil
	resp, wrote, err := w.r.lead.volatile.life.run([]txn.Op{add}, []txn.Timestamp{w.timestamp()})
	if err != nil || !wrote || resp.Answer != shardrpc.OK {
		t.Fatalf("%+v, %v", resp, err)
	}
	e := &resp.Results[0].Entry
	if int64(binary.BigEndian.Uint64(e.Value.Data)) != -2 || e.Revision != 1 || e.Expiry != got.Expiry {
		t.Errorf("%+v", e)
	}
	text := txn.Op{Kind: txn.OpUpdate, Update: txn.UpdateAppend, Key: key("n"), Value: txn.StringValue("x")}
	w.wants("type_mismatch", text)
	text.Key = key("t")
	w.wants("true r0", text)
	w.wants("true r1", text)
	w.wants("true r1 xx", getOp("t"))
	least := txn.Op{Kind: txn.OpUpdate, Update: txn.UpdateMin, Key: key("t"), Value: txn.StringValue("y")}
	w.wants("false r1 xx", least)
	for range 3 {
		w.tick()
	}
	w.flush()
	w.wants("false r-1", getOp("n"))
	add.Value = txn.IntValue(1)
	w.ephemeral(add)
	if got := w.r.lead.volatile.life.get(key("n"), 0); got.Value.Int() != 1 || got.Revision != 2 {
		t.Errorf("what has expired counts: %+v", got)
	}
}
