package mvcc

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnkv/cairn/txn"
)

// story is a store that a scenario fills and asks.
type story struct {
	t      *testing.T
	d      *datadriven.TestData
	eng    Engine
	hidden []Hidden
}

// TestReader tells the visibility rules as stories, on both engines.
func TestReader(t *testing.T) {
	datadriven.Walk(t, "testdata/reader", func(t *testing.T, path string) {
		p := openTest(t, PebbleOptions{})
		defer p.Close()
		engines := []Engine{p, OpenMem(Compare)}
		stories := []*story{{t: t, eng: engines[0]}, {t: t, eng: engines[1]}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var answers []string
			for _, s := range stories {
				s.d = d
				answers = append(answers, s.run())
			}
			if answers[0] != answers[1] {
				t.Fatalf("%s: pebble says %q, mem %q", d.Pos, answers[0], answers[1])
			}
			return answers[0]
		})
	})
}

func (s *story) str(name string) string {
	var v string
	s.d.MaybeScanArgs(s.t, name, &v)
	return v
}

func (s *story) ts(name string) txn.Timestamp {
	var v int64
	s.d.MaybeScanArgs(s.t, name, &v)
	return txn.Timestamp(v)
}

func (s *story) key() txn.Key { return txn.NewKey(1, []byte(s.str("key"))) }

func (s *story) span() txn.Span {
	span := txn.Span{Start: txn.NewKey(1, []byte(s.str("from"))), End: txn.NewKey(2, nil)}
	if s.d.HasArg("to") {
		span.End = txn.NewKey(1, []byte(s.str("to")))
	}
	return span
}

func (s *story) run() string {
	lower, upper := DataBounds(txn.Span{})
	it, err := s.eng.NewIter(IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return err.Error()
	}
	defer it.Close()
	r := NewReader(it, s.hidden)
	switch s.d.Cmd {
	case "set", "delete", "extend":
		return s.write(r)
	case "hide":
		return s.hide()
	case "request", "nth-request":
		return s.request(r)
	case "get":
		v, err := r.Get(s.key(), s.ts("at"))
		return show(v, s.ts("at"), err)
	case "get-revision":
		v, err := r.GetRevision(s.key(), int64(s.ts("revision")), s.ts("at"))
		return show(v, s.ts("at"), err)
	case "history":
		return s.history(r)
	case "scan":
		return s.scan(r)
	case "changed-key":
		ok, err := r.ChangedKey(s.key(), s.ts("after"), s.ts("upto"))
		return fmt.Sprintln(ok, err)
	case "changed":
		k, ok, err := r.Changed(s.span(), s.ts("after"), s.ts("upto"))
		return fmt.Sprintln(k, ok, err)
	case "changed-since":
		ok, expiry, err := r.ChangedSince(s.span(), s.ts("since"), s.ts("at")-1, s.ts("at"))
		return fmt.Sprintln(ok, expiry, err)
	}
	return "unknown command"
}

// write puts what a transaction would write at ts over what it finds.
func (s *story) write(r *Reader) string {
	kind := map[string]txn.Kind{
		"set": txn.KindSet, "delete": txn.KindDelete, "extend": txn.KindExtend,
	}[s.d.Cmd]
	w := txn.Write{Key: s.key(), Kind: kind, NoHistory: s.d.HasArg("norev")}
	if kind == txn.KindSet {
		w.Value = txn.StringValue(s.str("value"))
	}
	ts := s.ts("ts")
	prev, err := r.Get(w.Key, ts-1)
	if err != nil {
		return err.Error()
	}
	v, ok := w.Version(&prev, ts, txn.NewID(1, uint64(ts)))
	if !ok {
		return "nothing to do"
	}
	v.Expiry, v.Principal, v.Message = s.ts("expiry"), s.str("who"), s.str("why")
	if q := s.ts("request"); q != 0 {
		v.Request = &txn.Request{ID: txn.RequestID{byte(q)}, Fingerprint: uint64(q)}
	}
	b := s.eng.NewBatch()
	defer b.Close()
	PutVersion(b, w.Key, &v)
	if err := b.Commit(false); err != nil {
		return err.Error()
	}
	return ""
}

func (s *story) hide() string {
	h := Hidden{Key: s.key(), TS: s.ts("ts"), CommitTS: s.ts("commit")}
	s.hidden = slices.DeleteFunc(s.hidden, func(o Hidden) bool { return o.Key.Compare(h.Key) == 0 })
	if h.TS != 0 {
		s.hidden = append(s.hidden, h)
	}
	slices.SortFunc(s.hidden, func(a, b Hidden) int { return a.Key.Compare(b.Key) })
	return ""
}

func (s *story) scan(r *Reader) string {
	o := ScanOptions{Span: s.span(), At: s.ts("at"), Limit: int(s.ts("limit"))}
	o.Reverse = s.d.HasArg("reverse")
	stop := s.str("stop")
	var b strings.Builder
	err := r.Scan(o, func(e txn.Entry) bool {
		fmt.Fprintf(&b, "%v %s", e.Key, show(e.Version, o.At, nil))
		return stop != string(e.Key.User())
	})
	if err != nil {
		return err.Error()
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}

func (s *story) history(r *Reader) string {
	var b strings.Builder
	err := r.History(s.key(), s.ts("from"), func(v txn.Version) bool {
		b.WriteString(show(v, v.TS, nil))
		return !s.d.HasArg("stop") || s.str("stop") != string(v.Value.Data)
	})
	if err != nil {
		return err.Error()
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}

// request asks for request id among the newest n versions, or for that of the nth one.
func (s *story) request(r *Reader) string {
	id, n, after := txn.RequestID{byte(s.ts("id"))}, int(s.ts("n")), s.ts("after")
	var row txn.RequestRow
	var err error
	if s.d.Cmd == "request" {
		row, err = r.Request(s.key(), id, n, after)
	} else {
		id, row, err = r.NthRequest(s.key(), s.ts("from"), n, after)
	}
	if err != nil {
		return err.Error()
	}
	out := "none\n"
	if row.Status != txn.Absent {
		out = fmt.Sprintf("%d: %v request %d %d of %v\n", row.CommitTS, row.Status, id[0],
			row.Fingerprint, row.Txn)
	}
	v, err := r.Newest(s.key()) // whoever asks goes on to write
	return out + show(v, v.TS, err)
}

func show(v txn.Version, at txn.Timestamp, err error) string {
	if err != nil {
		return err.Error()
	}
	if v.TS == 0 {
		return "no version\n"
	}
	kind := []string{"set", "delete", "extend"}[v.Kind]
	out := fmt.Sprintf("%s ts=%d revision=%d created=%d first=%d",
		kind, v.TS, v.Revision, v.CreateTS, v.First)
	if v.Kind != txn.KindDelete {
		out += fmt.Sprintf(" value=%s", v.Value.Data)
	}
	if v.Expiry != 0 {
		out += fmt.Sprintf(" expiry=%d", v.Expiry)
	}
	if v.Principal != "" || v.Message != "" {
		out += fmt.Sprintf(" %s: %s", v.Principal, v.Message)
	}
	if v.Request != nil {
		out += " (tells its request)"
	}
	if !v.Live(at) {
		out += " (not live)"
	}
	return out + "\n"
}
