package token

import (
	"encoding/base64"
	"reflect"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

var handles = map[string]Handle{
	"AQAAAwAAAAARAAAAAAAAAAEAAAAAAAAAAgAAAAAAAAAK": {Txn: txn.NewID(3, 17), Random: [2]uint64{1, 2}, Began: 10},
	"AQAAAwAAAAARAAAAAAAAAAEAAAAAAAAAAgAAAAAAAAAKAAAAAWs": {
		Txn: txn.NewID(3, 17), Random: [2]uint64{1, 2}, Began: 10, Anchor: key("k"),
	},
}

func TestHandle(t *testing.T) {
	names := map[string]bool{}
	for text, h := range handles {
		if got := h.String(); got != text {
			t.Errorf("%+v is %s, want %s", h, got, text)
		}
		if got, ok := ParseHandle(text); !ok || !reflect.DeepEqual(got, h) {
			t.Errorf("%s is %+v, %v", text, got, ok)
		}
		names[h.Name()] = true
	}
	if len(names) != 1 {
		t.Errorf("handles of one transaction have %d names", len(names))
	}
	longest := handles["AQAAAwAAAAARAAAAAAAAAAEAAAAAAAAAAgAAAAAAAAAK"]
	longest.Anchor = txn.NewKey(txn.DefaultKeyspace, make([]byte, txn.KeyBytesMax))
	if _, ok := ParseHandle(longest.String()); !ok {
		t.Error("the longest key is no anchor")
	}
}

func TestRefusesHandles(t *testing.T) {
	good := Handle{Txn: txn.NewID(3, 17), Began: 10}
	with := func(anchor []byte) string { h := good; h.Anchor = anchor; return h.String() }
	for name, text := range map[string]string{
		"nothing":     "",
		"no base64":   "a*b",
		"cut":         good.String()[:20],
		"version":     base64.RawURLEncoding.EncodeToString(append([]byte{2}, good.Name()[1:]...)),
		"no session":  Handle{Txn: 17, Began: 10}.String(),
		"never began": Handle{Txn: good.Txn}.String(),
		"far":         Handle{Txn: good.Txn, Began: txn.MaxTimestamp + 1}.String(),
		"one byte":    with([]byte{0}),
		"bare id":     with([]byte{0, 0, 0, 1}),
		"too long":    with(txn.NewKey(txn.DefaultKeyspace, make([]byte, txn.KeyBytesMax+1))),
		"hidden":      with(txn.NewKey(txn.SystemKeyspace, []byte("k"))),
	} {
		if h, ok := ParseHandle(text); ok {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func FuzzParseHandle(f *testing.F) {
	for text := range handles {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, ok := ParseHandle(text)
		if !ok {
			return
		}
		if again, ok := ParseHandle(h.String()); !ok || !reflect.DeepEqual(again, h) {
			t.Fatalf("%+v came back as %+v, %v", h, again, ok)
		}
	})
}
