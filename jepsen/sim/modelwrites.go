package sim

import (
	"bytes"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

// update is what an update means; ok is false where it is an error.
func (o *overlay) update(op *txn.Op) (r txn.Result, ok bool) {
	v := o.current(op.Key)
	live := lives(&v, o.now)
	r = txn.Result{PrevRevision: txn.NoRevision, Entry: txn.Entry{Key: op.Key}}
	r.Entry.Version.Revision = txn.NoRevision
	if live {
		r.PrevRevision = v.Revision
	}
	next, fits := v.Value, o.meets(&op.Cond, &v)
	if fits {
		if next, fits, ok = combine(op, &v.Value, live); !ok {
			return r, false
		}
	}
	if fits {
		set := txn.Op{Kind: txn.OpSet, Key: op.Key, Value: next, KeepTTL: live, NoHistory: op.NoHistory}
		if !live {
			set.TTL = op.TTL
		}
		o.pend(&set)
		v, live, r.OK = o.current(op.Key), true, true
	}
	if live {
		r.Entry.Version, r.Count = v, int64(len(v.Value.Data))
		if op.Update == txn.UpdateAppend {
			r.Entry.Value.Data = nil
		}
	}
	return r, true
}

// combine is the value that an update leaves, whether it is to be written, and
// whether the two go together at all.
func combine(op *txn.Op, there *txn.Value, live bool) (next txn.Value, writes, ok bool) {
	text := op.Value.Type <= txn.String
	if live && op.Value.Type != there.Type && !(text && there.Type <= txn.String) {
		return next, false, false
	}
	switch {
	case op.Update == txn.UpdateAdd && !live:
		next = op.Value
	case op.Update == txn.UpdateAdd && op.Value.Type == txn.Float:
		next = txn.FloatValue(there.Float() + op.Value.Float())
	case op.Update == txn.UpdateAdd: // the workloads stay far from the ends of int64
		next = txn.IntValue(there.Int() + op.Value.Int())
	case !live:
		return op.Value, true, true
	case op.Update == txn.UpdateAppend:
		all := append(bytes.Clone(there.Data), op.Value.Data...)
		return txn.Value{Type: there.Type, Data: all}, len(op.Value.Data) > 0, true
	default:
		less := relateValues(&op.Value, there)
		want := map[txn.UpdateKind]string{txn.UpdateMin: "<", txn.UpdateMax: ">"}[op.Update]
		return txn.Value{Type: there.Type, Data: op.Value.Data}, less == want || less == noOrder, true
	}
	low := op.Lower != nil && relateValues(&next, op.Lower) == "<"
	high := op.Upper != nil && relateValues(&next, op.Upper) == ">"
	return next, !low && !high, true
}

// takes is what the patterns of the workloads mean: *x ends in x.
func takes(f *txn.Filter, key txn.Key) bool {
	return len(f.Glob) == 0 || strings.HasSuffix(string(key), strings.TrimPrefix(string(f.Glob), "*"))
}

func (o *overlay) deleteRange(op *txn.Op) (r txn.Result) {
	for _, e := range o.live(op.Span, false) {
		if takes(&op.Filter, e.Key) {
			o.pend(&txn.Op{Kind: txn.OpDelete, Key: e.Key})
			r.Count++
		}
	}
	r.OK = r.Count > 0
	return r
}

// revert compares all keys that there ever were.
func (o *overlay) revert(op *txn.Op) (r txn.Result) {
	keys := map[string]bool{}
	for _, k := range o.m.keys {
		keys[k] = true
	}
	for k := range o.own {
		keys[k] = true
	}
	for _, k := range sortedKeys(keys) {
		key := txn.Key(k)
		now, then := o.current(key), o.m.at(key, op.To)
		was, is := lives(&then, op.To), lives(&now, o.now)
		same := was && is && (now.TS == then.TS && now.Txn == then.Txn ||
			now.Expiry == 0 && then.Expiry == 0 && now.Value.Type == then.Value.Type &&
				bytes.Equal(now.Value.Data, then.Value.Data))
		if !op.Span.Contains(key) || !takes(&op.Filter, key) || same || !was && !is {
			continue
		}
		r.Count++
		if !was {
			o.pend(&txn.Op{Kind: txn.OpDelete, Key: key})
			continue
		}
		set := txn.Op{Kind: txn.OpSet, Key: key, Value: then.Value}
		if then.Expiry != 0 {
			set.TTL = int64(then.Expiry-op.To+999) / 1000
		}
		o.pend(&set)
	}
	r.OK = r.Count > 0
	return r
}
