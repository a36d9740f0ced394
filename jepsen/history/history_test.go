package history

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	text, err := os.ReadFile("testdata/elle.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	events, err := ReadEvents(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	r := NewRecorder(&b)
	for _, e := range events {
		r.Add(e)
	}
	again, err := ReadEvents(&b)
	if err != nil {
		t.Fatal(err)
	}
	ops, err := Pair(events)
	if err != nil {
		t.Fatal(err)
	}
	same, err := Pair(again)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ops {
		if got, want := same[i].String(), ops[i].String(); got != want {
			t.Errorf("%s came back as %s", want, got)
		}
	}
	if ops[0].Type != OK || !slices.Equal(ops[0].Mops[1].List, []int64{3, 5}) ||
		ops[0].Mops[2].Rows["k"] != 1 || ops[0].TS != 7 || ops[0].Mode != "oneshot" || ops[0].Gateway != "g1" {
		t.Errorf("%+v", ops[0])
	}
	if ops[1].Type != Info || ops[1].Completed != Never || ops[1].Mops[3].Known {
		t.Errorf("%+v", ops[1])
	}
}

// TestHold: an end has its place before its timestamp is known, and nothing later is written before.
func TestHold(t *testing.T) {
	var b bytes.Buffer
	r := NewRecorder(&b)
	r.Add(Event{Type: Invoke})
	first := r.Hold(Event{Type: OK})
	r.Add(Event{Process: 1, Type: Invoke})
	second := r.Hold(Event{Process: 1, Type: OK})
	second(9)
	if events, err := r.Events(); err != nil || len(events) != 1 || strings.Count(b.String(), "\n") != 1 {
		t.Errorf("%v, %v, in the file %s", events, err, b.String())
	}
	first(7)
	events, err := ReadEvents(&b)
	if err != nil || len(events) != 4 || events[1].TS != 7 || events[3].TS != 9 || events[1].Time > events[2].Time {
		t.Errorf("%v, %v", events, err)
	}
}

// TestPairAsked: what an operation wanted to write is known at its end, if not before.
func TestPairAsked(t *testing.T) {
	for _, end := range []Type{Fail, Info} {
		ops, err := Pair([]Event{
			{Type: Invoke, Value: []Mop{{Kind: Read, Key: "x"}}},
			{Type: end, Value: []Mop{{Kind: Read, Key: "x", N: 4, Known: true}, {Kind: Write, Key: "x", N: 5, Known: true}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if m := ops[0].Mops; len(m) != 2 || m[0].Known || m[0].N != 0 || m[1].N != 5 {
			t.Errorf("%s: %+v", end, m)
		}
	}
}

// TestInit: what there was at first is an object.
func TestInit(t *testing.T) {
	const line = `{"process":3,"type":"ok","f":"init","time":0,"value":{"x":1,"y":-2}}`
	events, err := ReadEvents(strings.NewReader(line))
	if err != nil || len(events) != 1 || len(events[0].Value) != 2 || events[0].Value[1].N != -2 {
		t.Fatalf("%+v, %v", events, err)
	}
	if b, err := events[0].MarshalJSON(); err != nil || string(b) != line {
		t.Errorf("%s came back as %s, %v", line, b, err)
	}
}

// TestPairRefuses: what no client can have done makes no history.
func TestPairRefuses(t *testing.T) {
	for _, events := range [][]Event{
		{{Type: OK}},
		{{Type: Invoke}, {Type: Invoke}},
		{{Type: Invoke}, {Type: Info}, {Type: Invoke}},
		{{Type: Invoke}, {Type: "done"}},
	} {
		if _, err := Pair(events); err == nil {
			t.Errorf("%v passed", events)
		}
	}
}

func TestMopRefuses(t *testing.T) {
	for _, text := range []string{`["r"]`, `["frob","x",1]`, `["w","x"]`, `["w","x","y"]`, `{}`, `["rp","x",[1]]`} {
		if err := new(Mop).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s passed", text)
		}
	}
}
