package check

import (
	"reflect"
	"strings"
	"testing"
)

func TestCover(t *testing.T) {
	h, err := Read(strings.NewReader(`{"process":0,"type":"ok","f":"init","value":{"a":5}}
{"process":0,"type":"invoke","f":"txn","value":[["append","x",1],["insert","p/a",2]],"mode":"oneshot"}
{"process":0,"type":"ok","f":"txn","value":[["append","x",1],["insert","p/a",2],["r","x",[1]]],"gateway":"g1"}
{"process":0,"type":"invoke","f":"txn","value":[["append","x",3]]}
{"process":0,"type":"fail","f":"txn","value":[["append","x",3]]}
{"process":0,"type":"invoke","f":"txn","value":[["append","x",4]]}
{"process":0,"type":"info","f":"txn","value":[["append","x",4]]}
{"process":2,"type":"invoke","f":"txn"}
{"process":2,"type":"ok","value":[["r","x",[1]],["r","y",null],["r","z",[]]]}
{"process":1,"type":"invoke","f":"txn","mode":"final-unary"}
{"process":1,"type":"ok","value":[["r","x",[4]],["rp","p",{"p/a":2}],["r","y",null],["r","a",5]],"gateway":"g2"}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Coverage{
		OK: 2, Fail: 1, Info: 1, Found: 2, Written: 3, Observed: 1, Final: 1,
		Modes:    map[string]Tries{"oneshot": {1, 1}, "": {3, 1}, "final-unary": {1, 1}},
		Gateways: map[string]Tries{"g1": {1, 1}, "": {3, 1}, "g2": {1, 1}},
	}
	if got := Cover(h); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
