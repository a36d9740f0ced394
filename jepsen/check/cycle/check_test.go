package cycle

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/jepsen/check"
	"github.com/cairnkv/cairn/jepsen/history"
)

// parseHistory makes a history of lines such as
//
//	0 1-4 x+1 y[1 2] z=3 z:3
//
// which is process 0, invoked at 1, completed at 4 ("1-4!" failed, "1-?" is unknown): it appended
// 1 to x, read [1 2] of y, wrote 3 to z and read 3 of it ("z:-" found nothing). "z^3" inserts, "z~"
// deletes, "all(a:1,b:2)" scans. A line "init z=1" says what there was.
func parseHistory(t testing.TB, text string) *check.History {
	t.Helper()
	h := &check.History{Init: map[string]int64{}}
	for line := range strings.Lines(text) {
		fields := splitMops(strings.TrimSpace(line))
		if len(fields) == 0 {
			continue
		}
		if fields[0] == "init" {
			for _, f := range fields[1:] {
				m := parseMop(t, f, true)
				h.Init[m.Key] = m.N
			}
			continue
		}
		op := history.Op{Process: int(number(t, fields[0])), F: "txn", Type: history.OK}
		from, to, _ := strings.Cut(fields[1], "-")
		if failed := strings.TrimSuffix(to, "!"); failed != to {
			op.Type, to = history.Fail, failed
		}
		op.Invoked, op.Completed = int(number(t, from)), history.Never
		if to == "?" {
			op.Type = history.Info
		} else {
			op.Completed = int(number(t, to))
		}
		for _, f := range fields[2:] {
			op.Mops = append(op.Mops, parseMop(t, f, op.Type == history.OK))
		}
		h.Ops = append(h.Ops, op)
	}
	slices.SortFunc(h.Ops, func(a, b history.Op) int { return a.Invoked - b.Invoked })
	for i := range h.Ops {
		h.Ops[i].ID = i
	}
	return h
}

// splitMops splits at spaces outside of brackets.
func splitMops(line string) []string {
	within := false
	return strings.FieldsFunc(line, func(r rune) bool {
		switch r {
		case '[', '(':
			within = true
		case ']', ')':
			within = false
		}
		return r == ' ' && !within
	})
}

func number(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parseMop(t testing.TB, text string, known bool) history.Mop {
	t.Helper()
	i := strings.IndexAny(text, "+=^~[:(")
	key, rest := text[:i], text[i+1:]
	m := history.Mop{Key: key, Known: true}
	switch text[i] {
	case '+':
		m.Kind, m.N = history.Append, number(t, rest)
	case '=':
		m.Kind, m.N = history.Write, number(t, rest)
	case '^':
		m.Kind, m.N = history.Insert, number(t, rest)
	case '~':
		m.Kind = history.Delete
	case '[':
		m.Kind, m.Listed = history.Read, true
		for _, n := range strings.Fields(strings.TrimSuffix(rest, "]")) {
			m.List = append(m.List, number(t, n))
		}
	case '(':
		m.Kind, m.Rows = history.Scan, map[string]int64{}
		for _, row := range strings.FieldsFunc(strings.TrimSuffix(rest, ")"), func(r rune) bool { return r == ',' }) {
			k, v, _ := strings.Cut(row, ":")
			m.Rows[k] = number(t, v)
		}
	case ':':
		m.Kind, m.Missing = history.Read, rest == "-"
		if !m.Missing {
			m.N = number(t, rest)
		}
	}
	if !known && !m.Writes() {
		m = history.Mop{Kind: m.Kind, Key: m.Key}
	}
	return m
}

// names are those of the anomalies, each once, sorted.
func names(found []check.Anomaly) string {
	all := map[string]bool{}
	for _, a := range found {
		all[a.Name] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(all)), " ")
}

func TestCycleNames(t *testing.T) {
	for _, tc := range slices.Concat(listCases, registerCases, mixedCases) {
		t.Run(tc.name, func(t *testing.T) {
			found := Checker().Check(parseHistory(t, tc.history))
			if got := names(found); got != tc.want {
				t.Errorf("found %q, want %q in%s\n%v", got, tc.want, tc.history, found)
			}
			for _, a := range found {
				if len(a.Ops) == 0 || !strings.Contains(a.What, fmt.Sprintf("op %d", a.Ops[0])) {
					t.Errorf("this explains nothing: %v", a)
				}
			}
		})
	}
}

type cycleCase struct{ name, want, history string }

var listCases = []cycleCase{
	{"nothing", "", ``},
	{"valid", "", `
		0 0-1 x+1 y+1
		1 2-3 x[1] x+2 x[1 2]
		2 4-5! x+3 y+3
		3 6-? x+4 y+4
		4 7-? x+5
		0 8-20 x[1 2 4] y[1 4]
		1 9-10 x[1 2 4] x+6
		2 11-12 x[1 2 4 6] z[] z:-`},
	{"concurrent reads see either", "", `
		0 0-9 x+1
		1 1-2 x[]
		2 3-4 x[1]`},
	{"G0", "G0", `
		0 0-8 x+1 y+1
		1 1-9 x+2 y+2
		2 10-11 x[1 2]
		3 12-13 y[2 1]`},
	{"G0-process", "G0-process", `
		0 0-1 x+1
		0 2-10 x+2
		1 3-4 x[2 1]`},
	{"G0-realtime", "G0-realtime", `
		0 0-1 x+1
		1 2-10 x+2
		2 3-4 x[2 1]`},
	{"G1a", "G1a", `
		0 0-1! x+1
		1 2-3 x[1]`},
	{"G1a and dirty update", "G1a dirty-update", `
		0 0-1! x+1
		1 2-3 x+2
		1 4-5 x[1 2]`},
	{"G1b", "G-single G1b", `
		0 0-5 x+1 x+2
		1 1-6 x[1]
		2 7-8 x[1 2]`},
	{"G1c", "G1c", `
		0 0-8 x+1 y[2]
		1 1-9 y+2 x[1]`},
	{"G1c-process", "G1c-process", `
		0 0-1 x[1]
		0 2-3 y+1
		1 1-9 y[1] x+1`},
	{"G1c-realtime", "G1c-realtime", `
		0 0-1 x[1]
		1 2-3 x+1`},
	{"G-single", "G-single", `
		0 0-8 x+1 y+1
		1 1-9 x[] y[1]
		2 10-11 x[1]`},
	{"G-single, with what nobody read", "G-single", `
		0 0-8 x+1 y+1
		1 1-9 x[] y[1]`},
	{"G-single-process", "G-single-process", `
		0 0-9 x+1
		1 1-2 x[1]
		1 3-4 x[]`},
	{"G-single-realtime", "G-single-realtime", `
		0 0-1 x+1
		1 2-3 x[]
		2 4-5 x[1]`},
	{"lost update", "G-single lost-update", `
		0 0-5 x[] x+1
		1 1-6 x[] x+2
		2 7-8 x[1 2]`},
	{"lost update that nobody read", "lost-update", `
		0 0-5 x[] x+1
		1 1-6 x[] x+2`},
	{"lost update that nobody read, after another", "lost-update", `
		0 0-5 x[] x+1 y[5]
		1 1-6 x[] x+2 y+5`},
	{"built on what was read, before what nobody read", "G-single", `
		0 0-5 x[] x+1 y[5]
		1 1-6 x+2 y+5`},
	{"lost append", "G-single-realtime lost-append", `
		0 0-1 x+1
		1 2-3 x[]`},
	{"lost append in its process", "G-single-process lost-append", `
		0 0-1 x+1
		0 2-3 x[]`},
	{"G-nonadjacent", "G-nonadjacent", `
		0 0-8 x+1
		1 0-8 y+1
		2 1-9 x[1] y[]
		3 1-9 y[1] x[]
		0 10-11 x[1] y[1]`},
	{"G-nonadjacent-process", "G-nonadjacent-process", `
		0 0-20 x+1
		1 0-20 y+1
		2 0-20 x[1] y[]
		3 2-3 y[1]
		3 4-5 x[]
		0 21-22 x[1] y[1]`},
	{"G-nonadjacent-realtime", "G-nonadjacent-realtime", `
		0 0-20 x+1
		1 0-20 y+1
		2 0-20 x[1] y[]
		3 2-3 y[1]
		4 4-5 x[]
		0 21-22 x[1] y[1]`},
	{"G2-item", "G2-item", `
		0 0-8 x[] y+1
		1 1-9 y[] x+1
		2 10-11 x[1] y[1]`},
	{"G2-item, with what nobody read", "G2-item", `
		0 0-8 x[] y+1
		1 1-9 y[] x+1`},
	{"G2-item-process", "G2-item-process", `
		1 0-9 y[] x+1
		2 1-2 y+1
		2 4-8 x[]
		0 10-11 x[1] y[1]`},
	{"G2-item-realtime", "G2-item-realtime", `
		1 0-9 y[] x+1
		2 1-2 y+1
		3 4-8 x[]
		0 10-11 x[1] y[1]`},
	{"two reads", "internal", `
		0 0-9 x[] x[1]
		1 1-2 x+1`},
	{"own append missing", "internal", `
		0 0-9 x+1 x[]
		1 10-11 x[1]`},
	{"own append early", "internal", `
		0 0-9 x[1] x+1
		1 10-11 x[1]`},
	{"own append not at the end", "internal", `
		0 0-9 x+1 x[1 2]
		1 1-2 x+2`},
	{"incompatible order", "incompatible-order", `
		0 0-1 x+1
		1 0-1 x+2
		2 0-1 x[1]
		3 0-1 x[2]`},
	{"duplicate", "duplicate-elements", `
		0 0-1 x+1
		1 2-3 x[1 1]`},
	{"garbage", "garbage-read", `
		0 0-1 x+1
		1 2-3 x[1 7]`},
	{"unknown that was read is torn", "G-single", `
		0 0-? x+1 y+1
		1 1-2 x[1] y[]
		2 3-4 y[1]`},
	{"unknown that was read comes after what had ended", "G0-realtime", `
		0 0-1 x+1
		1 2-? x+2
		2 3-4 x[2 1]`},
	{"a key of both sorts", "", `
		0 0-1 x+1
		1 2-3 x=2
		1 4-5 x[]`},
	{"an element that two appended", "written-twice", `
		0 0-1 x+1
		1 2-3 x+1
		1 4-5 x[1]`},
}

var mixedCases = []cycleCase{
	{"a list and a register", "G-single", `
		0 0-8 x+1 y=1
		1 1-9 x[] y:1
		2 10-11 x[1]`},
}

// TestControls: what every run begins with, and that it can fail.
func TestControls(t *testing.T) {
	if err := check.Controls([]check.Checker{Checker()}); err != nil {
		t.Error(err)
	}
	blind := check.Checker{Name: "cycle", Check: func(*check.History) []check.Anomaly { return nil }}
	if check.Controls([]check.Checker{blind}) == nil {
		t.Error("a checker that accepts everything passes")
	}
}
