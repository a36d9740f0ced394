package shard

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// lockCommand asks for locks, ends them, or shows the table.
func (w *world) lockCommand(d *datadriven.TestData, name string) {
	if d.Cmd == "locks" {
		w.request(name, &shardrpc.LocksRequest{Target: w.target(d)})
		return
	}
	base := w.atOr(arg(d, "base"), w.timestamp)
	if d.Cmd == "unlock" {
		w.request(name, &shardrpc.UnlockRequest{Target: w.target(d), Txn: id(arg(d, "txn")),
			Age: w.age(d, base), BaseTS: base})
		return
	}
	m := &shardrpc.LockRequest{Target: w.target(d), Txn: id(arg(d, "txn")), Age: w.age(d, base), BaseTS: base,
		Mode: map[string]txn.LockMode{"s": txn.LockShared, "u": txn.LockUpdate, "": txn.LockExclusive}[arg(d, "mode")],
		Wait: 5000}
	if wait := arg(d, "wait"); wait != "" {
		m.Wait, _ = strconv.ParseInt(wait, 10, 64)
	}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "keys":
			for _, k := range a.Vals {
				m.Keys = append(m.Keys, key(k))
			}
		case "spans":
			for _, s := range a.Vals {
				from, to, _ := strings.Cut(s, "-")
				m.Spans = append(m.Spans, txn.Span{Start: key(from), End: key(to)})
			}
		}
	}
	w.request(name, m)
}

func lockTable(m *shardrpc.LocksResponse) string {
	if m.Answer != shardrpc.OK {
		return m.Answer.String()
	}
	var all []string
	for i := range m.Locks {
		l := &m.Locks[i]
		s := string(l.Key)
		if l.Key == nil {
			s = fmt.Sprintf("%s-%s", l.Span.Start.User(), l.Span.End.User())
		} else {
			s = string(l.Key.User())
		}
		s = fmt.Sprintf("%s %v %v", s, l.Mode, l.Owner.Txn)
		if l.Committing {
			s += " committing"
		}
		if l.Waits {
			s += " waits for"
			for _, o := range l.Behind {
				s += " " + o.Txn.String()
			}
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, "\n")
}
