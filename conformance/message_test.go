package conformance

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// answerOf reads any response by the names of its fields, which mean the same everywhere.
func answerOf(m protoreflect.Message) (a answer) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.HasPresence() && !m.Has(f) {
			continue
		}
		a.read(f, m.Get(f))
	}
	switch m.Descriptor().Name() {
	case "Entry":
		yes := true
		a.done = &yes
	case "RevertChange":
		no := false
		from, to := a.items[0], a.items[1]
		for _, side := range []*answer{&from, &to} {
			if side.done == nil {
				side.done = &no
			}
		}
		a.items = []answer{from, to}
	}
	return a
}

func (a *answer) read(f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch name := f.Name(); name {
	case "found", "set", "deleted", "extended", "updated", "exists", "succeeded", "created":
		if f.Message() != nil { // of an OpResult
			*a = answerOf(v.Message())
			return
		}
		yes := v.Bool()
		a.done = &yes
	case "revision", "prev_revision", "commit_ts", "create_ts", "expires_at", "ttl_ms", "count", "value_bytes":
		n := v.Int()
		*a.number(string(name)) = &n
		if name == "ttl_ms" {
			found := n >= 0
			a.done = &found
		}
	case "value":
		a.value = valueOf(v.Message().Interface().(*cairnv1.Value))
	case "key":
		a.key = string(v.Bytes())
	case "cursor":
		text := string(v.Bytes())
		a.cursor = &text
	case "message":
		a.message = v.String()
	case "operation":
		word := string(f.Enum().Values().ByNumber(v.Enum()).Name())
		a.operation = strings.ToLower(strings.TrimPrefix(word, "HISTORY_OPERATION_"))
	case "keyspace":
		if f.Message() != nil {
			a.options = optionsOf(v.Message().Interface().(*cairnv1.Keyspace))
		}
	case "keyspaces":
		for i := range v.List().Len() {
			a.names = append(a.names, v.List().Get(i).Message().Interface().(*cairnv1.Keyspace).Name)
		}
	case "keys", "bytes", "versions":
		if a.options == nil {
			a.options = make(map[string]int64)
		}
		a.options[string(name)] = v.Int()
	default:
		a.nested(f, v)
	}
}

// nested are the fields that are messages.
func (a *answer) nested(f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch f.Name() {
	case "prev":
		was := answerOf(v.Message())
		a.was = &was
	case "entry":
		done := a.done
		was := *a
		*a = answerOf(v.Message())
		if a.operation, a.message = was.operation, was.message; done != nil {
			a.done = done
		}
	case "from", "to":
		if len(a.items) == 0 {
			a.items = make([]answer, 2)
		}
		a.items[map[protoreflect.Name]int{"from": 0, "to": 1}[f.Name()]] = answerOf(v.Message())
	case "entries", "results", "changes":
		for i := range v.List().Len() {
			a.items = append(a.items, answerOf(v.List().Get(i).Message()))
		}
	default:
		if f.Message() != nil && f.ContainingOneof() != nil && !f.IsList() { // of an OpResult
			*a = answerOf(v.Message())
		}
	}
}

func (a *answer) number(field string) **int64 {
	return map[string]**int64{
		"revision": &a.revision, "prev_revision": &a.prev, "commit_ts": &a.commit, "create_ts": &a.create,
		"expires_at": &a.expires, "ttl_ms": &a.ttl, "count": &a.count,
		"value_bytes": &a.bytes,
	}[field]
}

func optionsOf(k *cairnv1.Keyspace) map[string]int64 {
	return map[string]int64{
		"history_age": k.HistoryAgeMs, "history_count": k.HistoryCount, "default_ttl": k.DefaultTtlMs,
		"value_bytes_max": k.ValueBytesMax, "bytes_max": k.BytesMax,
	}
}

func valueOf(w *cairnv1.Value) *txn.Value {
	var v txn.Value
	switch k := w.GetKind().(type) {
	case *cairnv1.Value_BytesValue:
		v = txn.BytesValue(k.BytesValue)
	case *cairnv1.Value_StringValue:
		v = txn.StringValue(k.StringValue)
	case *cairnv1.Value_IntValue:
		v = txn.IntValue(k.IntValue)
	case *cairnv1.Value_FloatValue:
		v = txn.FloatValue(k.FloatValue)
	case *cairnv1.Value_BoolValue:
		v = txn.BoolValue(k.BoolValue)
	case *cairnv1.Value_JsonValue:
		v = txn.JSONValue([]byte(k.JsonValue))
	case *cairnv1.Value_NullValue:
		v = txn.NullValue()
	default:
		return nil
	}
	return &v
}
