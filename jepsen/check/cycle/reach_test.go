package cycle

import (
	"fmt"
	"strings"
	"testing"
)

// attempts is a counter that is counted up, each time by several who ask for the same number: the
// others fail, or nobody knows of them. Then somebody reads.
func attempts(read int) string {
	var b strings.Builder
	b.WriteString("init x=0\n")
	at, process := 0, 10
	line := func(process int, end, mops string) {
		fmt.Fprintf(&b, "%d %d-%s %s\n", process, at, end, mops)
		at += 2
	}
	for n := 1; n <= 50; n++ {
		for other := range 3 {
			line(other, fmt.Sprint(at+1, "!"), fmt.Sprintf("x=%d", n))
		}
		if n%10 == 0 {
			process++
			line(process, "?", fmt.Sprintf("x=%d", n))
		}
		line(n%5, fmt.Sprint(at+1), fmt.Sprintf("x:%d x=%d", n-1, n))
	}
	line(6, fmt.Sprint(at+1), fmt.Sprintf("x:%d", read))
	return b.String()
}

// TestReached: what failed leaves no doubt, and what nobody knows of leaves out one value. The
// counters of a whole workload once were not judged at all.
func TestReached(t *testing.T) {
	for _, c := range []struct {
		text string
		want Reach
	}{
		{attempts(49), Reach{Keys: 1, Judged: 1, Reads: 51, Told: 47}},
		{attempts(50), Reach{Keys: 1, Judged: 1, Reads: 51, Told: 46}},
		{"0 0-1 x=1\n0 2-3 x=1\n1 4-5 x:1 y:-", Reach{Keys: 1, Reads: 1}},
		{"0 0-1 x+1 y+1\n0 2-3 x+1\n1 4-5 x[1] y[1]", Reach{Keys: 2, Judged: 1, Reads: 2, Told: 1}},
	} {
		if got := Reached(parseHistory(t, c.text)); got != c.want {
			t.Errorf("%+v, want %+v of\n%s", got, c.want, c.text)
		}
	}
	for read, want := range map[int]string{49: "G-single-realtime", 43: "G-single-realtime", 50: ""} {
		if got := names(Checker().Check(parseHistory(t, attempts(read)))); got != want {
			t.Errorf("who reads %d at the end: %q, want %q", read, got, want)
		}
	}
}

// TestUnique: who promises that nothing is written twice is held to it, failed or not.
func TestUnique(t *testing.T) {
	for text, want := range map[string]string{
		"0 0-1 x=1\n1 2-3 x=2\n0 4-5 y=1": "",
		"0 0-1 x=1\n1 2-3 x=1":            "written-twice",
		"0 0-1! x=1\n1 2-3 x=1":           "written-twice",
		"0 0-1 x=1\n1 2-3! x=1":           "written-twice",
		"0 0-? x=1\n1 2-? x=1":            "written-twice",
	} {
		h := parseHistory(t, text)
		if got := names(Unique().Check(h)); got != want {
			t.Errorf("%q, want %q of\n%s", got, want, text)
		}
		if got := names(Checker().Check(h)); got != "" {
			t.Errorf("%q of\n%s", got, text)
		}
	}
}
