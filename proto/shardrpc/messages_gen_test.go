package shardrpc

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/cairnkv/cairn/txn"
)

// drawer fills a value of any type of this package and of txn, field by field, so that a field
// that is added to a struct and forgotten in its codec fails the round trip. Empty lists are nil,
// which is how they read back.
type drawer struct {
	t     *rapid.T
	depth int // of tests
}

func draw[T any](t *rapid.T) *T {
	v := new(T)
	d := drawer{t: t}
	d.fill(reflect.ValueOf(v).Elem())
	return v
}

// enums has the last value of every enum.
var enums = map[reflect.Type]uint8{
	reflect.TypeFor[Answer]():         uint8(Gone),
	reflect.TypeFor[txn.Status]():     uint8(txn.Aborted),
	reflect.TypeFor[txn.Mask]():       uint8(masksAll),
	reflect.TypeFor[txn.Type]():       uint8(txn.Null),
	reflect.TypeFor[txn.LockMode]():   uint8(txn.LockExclusive),
	reflect.TypeFor[txn.Kind]():       uint8(txn.KindExtend),
	reflect.TypeFor[txn.TestKind]():   uint8(txn.TestUnchanged),
	reflect.TypeFor[txn.Attribute]():  uint8(txn.AttributeCreateTS),
	reflect.TypeFor[txn.Relation]():   uint8(txn.GreaterOrEqual),
	reflect.TypeFor[txn.OpKind]():     uint8(txn.OpUpdate),
	reflect.TypeFor[txn.UpdateKind](): uint8(txn.UpdateMax),
	reflect.TypeFor[txn.ErrorKind]():  uint8(txn.Unknown),

	reflect.TypeFor[txn.KeyspaceVerb](): uint8(txn.FillKeyspace),
	reflect.TypeFor[txn.KeyspaceSet]():  uint8(txn.SetAllOptions),
	reflect.TypeFor[DropStep]():         uint8(DropErase),
}

// atCoordinator are the fields of operations, of their results and of versions that never travel.
var atCoordinator = map[string]bool{
	"txn.Op.To": true, "txn.Op.DryRun": true, "txn.Result.Changes": true, "txn.Version.Request": true,
}

func (d *drawer) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(d.t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(d.t, "int"))
	case reflect.Uint8:
		last, ok := enums[v.Type()]
		if !ok {
			d.t.Fatalf("%v is in no table", v.Type())
		}
		v.SetUint(uint64(rapid.Uint8Max(last).Draw(d.t, v.Type().Name())))
	case reflect.Uint32:
		v.SetUint(uint64(rapid.Uint32().Draw(d.t, "uint32")))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(d.t, "uint64"))
	case reflect.String:
		v.SetString(rapid.String().Draw(d.t, "string"))
	case reflect.Interface: // the cause of an error
		if rapid.Bool().Draw(d.t, "cause") {
			v.Set(reflect.ValueOf(errors.New(rapid.String().Draw(d.t, "text"))))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(d.t, "there") {
			v.Set(reflect.New(v.Type().Elem()))
			d.fill(v.Elem())
		}
	case reflect.Slice:
		d.list(v)
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rapid.Byte().Draw(d.t, "byte")))
		}
	case reflect.Struct:
		if test, ok := v.Addr().Interface().(*txn.Test); ok {
			d.test(test)
			return
		}
		for i := range v.NumField() {
			if !atCoordinator[v.Type().String()+"."+v.Type().Field(i).Name] {
				d.fill(v.Field(i))
			}
		}
	default:
		d.t.Fatalf("cannot draw a %v", v.Type())
	}
}

func (d *drawer) list(v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if b := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(d.t, "bytes"); len(b) > 0 {
			v.SetBytes(b)
		}
		return
	}
	n := rapid.IntRange(0, 2).Draw(d.t, "count")
	for range n {
		one := reflect.New(v.Type().Elem()).Elem()
		d.fill(one)
		v.Set(reflect.Append(v, one))
	}
}

// test draws those fields that the wire has for a test of its kind.
func (d *drawer) test(t *txn.Test) {
	d.depth++
	defer func() { d.depth-- }()
	d.fill(reflect.ValueOf(&t.Kind).Elem())
	v := reflect.ValueOf(t).Elem()
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Name; name {
		case "Kind", "Of":
		case "Key", "Cond":
			d.fill(v.Field(i))
		default:
			if t.Kind > txn.TestNot {
				d.fill(v.Field(i))
			}
		}
	}
	n := rapid.IntRange(0, 2).Draw(d.t, "of")
	if d.depth >= 4 {
		n = 0
	}
	if t.Kind == txn.TestNot {
		n = 1
	}
	for range n {
		var of txn.Test
		if d.depth < TestDepthMax {
			d.test(&of)
		}
		t.Of = append(t.Of, of)
	}
	if d.depth == TestDepthMax { // no room below
		*t = txn.Test{Key: t.Key, Cond: t.Cond}
	}
}

func roundTrip[T any, P pointer[T]](t *testing.T) {
	t.Helper()
	var zero T
	t.Run(reflect.TypeFor[T]().Name(), func(t *testing.T) {
		if got, err := Decode[T, P](Encode(P(&zero))); err != nil || !reflect.DeepEqual(*got, zero) {
			t.Fatalf("the zero message came back as %+v, %v", got, err)
		}
		rapid.Check(t, func(t *rapid.T) {
			want := draw[T](t)
			wire := Encode(P(want))
			got, err := Decode[T, P](wire)
			if err != nil || !reflect.DeepEqual(*got, *want) {
				t.Fatalf("%+v\ncame back as\n%+v, %v", *want, got, err)
			}
			if _, err := Decode[T, P](append(wire[:len(wire):len(wire)], 0)); err == nil {
				t.Fatal("a byte too many was accepted")
			}
			if n := len(wire); n > 0 {
				cut := rapid.IntRange(0, n-1).Draw(t, "cut")
				if _, err := Decode[T, P](wire[:cut]); err == nil {
					t.Fatalf("%d of %d bytes were accepted", cut, n)
				}
			}
		})
	})
}
