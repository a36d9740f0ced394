package frame_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/proto/frame"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

func frames() map[string]*cairnv1.Frame {
	failed := &cairnv1.CallError{Code: 5, Message: "gone", Detail: &cairnv1.ErrorDetail{Reason: "r"}}
	return map[string]*cairnv1.Frame{
		"empty": {},
		"calls": {Calls: []*cairnv1.Call{
			{Id: 1, Method: cairnv1.Method_METHOD_KV_GET, Payload: []byte("abc")},
			{Id: 1 << 40, Method: 300, DeadlineMs: -1, Payload: bytes.Repeat([]byte("x"), 300)}, {},
		}},
		"replies": {Replies: []*cairnv1.Reply{
			{Id: 7, Payload: []byte("abc")}, {Id: 8, Error: failed}, {}, {Id: 9, Error: &cairnv1.CallError{}},
		}},
		"all kinds": {
			Calls: []*cairnv1.Call{{Id: 1}}, Replies: []*cairnv1.Reply{{Id: 2}}, Cancels: []*cairnv1.Cancel{{Id: 3}},
		},
	}
}

// TestSameBytes: the codec writes and reads what package proto does.
func TestSameBytes(t *testing.T) {
	for name, f := range frames() {
		want, err := proto.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := frame.Codec{}.MarshalAppend([]byte("before"), f)
		if err != nil || string(got) != "before"+string(want) {
			t.Errorf("%s: wrote %x, want %x; %v", name, got, want, err)
		}
		back := &cairnv1.Frame{Cancels: []*cairnv1.Cancel{{Id: 99}}}
		if err := (frame.Codec{}).Unmarshal(want, back); err != nil || !proto.Equal(back, f) {
			t.Errorf("%s: read %v, want %v; %v", name, back, f, err)
		}
		for _, r := range f.Replies {
			if got, want := frame.SizeOfReply(r), proto.Size(r); got != want {
				t.Errorf("%s: %v takes %d bytes, want %d", name, r, got, want)
			}
		}
	}
}

// TestOtherMessages go through package proto; what is no message is refused.
func TestOtherMessages(t *testing.T) {
	var c frame.Codec
	b, err := c.Marshal(&cairnv1.Cancel{Id: 3})
	var back cairnv1.Cancel
	if err != nil || c.Unmarshal(b, &back) != nil || back.Id != 3 {
		t.Errorf("a cancel came back as %v; %v", &back, err)
	}
	if _, err := c.Marshal(1); err == nil || c.Unmarshal(b, 1) == nil {
		t.Error("a number is a message")
	}
}

// FuzzRead: whatever comes, the codec makes of it what package proto does.
func FuzzRead(f *testing.F) {
	for _, one := range frames() {
		b, err := proto.Marshal(one)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		record := protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 1)
		f.Add(append(bytes.Clone(b), record...)) // a field of tomorrow
		record = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), record)
		f.Add(append(b, record...)) // in a call
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got, want cairnv1.Frame
		failed, refused := (frame.Codec{}).Unmarshal(b, &got), proto.Unmarshal(b, &want)
		if (failed == nil) != (refused == nil) || failed == nil && !proto.Equal(&got, &want) {
			t.Errorf("%x: %v, %v; package proto: %v, %v", b, &got, failed, &want, refused)
		}
	})
}
