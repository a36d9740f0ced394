package timeline

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// example is a run of 20 s in which little happens from 8 s to 9.5 s.
func example() Timeline {
	t := Timeline{
		Title: "W1 lists & <2pc>, kill leader", Length: 20 * time.Second,
		Shards: []string{"meta", "shard 2", "shard 3"},
		Faults: []Fault{
			{"kill leader", 8 * time.Second, 9500 * ms}, {"slow disk on m2", 8500 * ms, 14 * time.Second},
			{"cut m1 from everybody else", 18 * time.Second, 19 * time.Second},
		},
		Gaps: []Gap{{"shard 2", 8 * time.Second, 9200 * ms}, {"meta", 8100 * ms, 8800 * ms}},
	}
	for at := time.Duration(0); at < t.Length; at += ms {
		down := at > 8*time.Second && at < 9500*ms
		switch {
		case !down || at%(50*ms) == 0:
			t.Ops = append(t.Ops, Op{End: at, Took: 3*ms + at%(7*ms)})
		case at%(10*ms) == 0:
			t.Ops = append(t.Ops, Op{End: at, Outcome: Failed}, Op{End: at, Outcome: Info})
		}
	}
	return t
}

func TestDraw(t *testing.T) {
	var b strings.Builder
	if err := Draw(&b, example()); err != nil {
		t.Fatal(err)
	}
	if file := os.Getenv("CAIRN_TIMELINE"); file != "" { // to look at it
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	classes, texts := read(t, b.String())
	for class, want := range map[string]int{
		"fault": 3 + 1, "gap": 2 + 1, "up": 3, "ok": 1 + 1, "p50": 1 + 1, "p99": 1 + 1, // and one in the legend
		"failed": 3 + 1, "info": 3 + 1,
	} {
		if classes[class] != want {
			t.Errorf("%d of class %s, want %d", classes[class], class, want)
		}
	}
	for _, want := range []string{
		"W1 lists & <2pc>, kill leader", "kill leader", "slow disk on m2", "shard 3", "longest 1.20 s",
		"1000", "20 s", "10ms",
		"kill leader, 8.00 s to 9.50 s",
	} {
		if !strings.Contains(texts, "\n"+want+"\n") {
			t.Errorf("no text %q", want)
		}
	}
	if !strings.Contains(b.String(), "prefers-color-scheme:dark") {
		t.Error("nothing for dark ground")
	}
}

// read parses an SVG, and counts its elements by class.
func read(t *testing.T, svg string) (classes map[string]int, texts string) {
	t.Helper()
	classes, texts = map[string]int{}, "\n"
	for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return classes, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			for _, a := range e.Attr {
				if a.Name.Local == "class" {
					classes[a.Value]++
				}
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s=%q", a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			texts += string(e) + "\n"
		}
	}
}

// TestDrawLittle: a run in which nothing happened can be drawn; one that had no time cannot.
func TestDrawLittle(t *testing.T) {
	var b strings.Builder
	if err := Draw(&b, Timeline{Length: 100 * ms, Ops: []Op{{End: time.Hour}, {End: -ms}}}); err != nil {
		t.Fatal(err)
	}
	read(t, b.String())
	for _, length := range []time.Duration{0, -1, 2 * time.Hour} {
		if Draw(io.Discard, Timeline{Length: length}) == nil {
			t.Errorf("%v was drawn", length)
		}
	}
}

func TestBuckets(t *testing.T) {
	all := buckets(&Timeline{Length: 1250 * ms, Ops: []Op{
		{End: 100 * ms, Took: 3 * ms}, {End: 499 * ms, Took: 1 * ms}, {End: 200 * ms, Took: 2 * ms},
		{End: 500 * ms, Outcome: Failed}, {End: 1100 * ms, Took: 5 * ms},
	}})
	if len(all) != 3 || all[0].ok != 6 || all[0].p50 != 2*ms || all[0].p99 != 3*ms ||
		all[1].failed != 2 || all[1].ok != 0 || all[2].ok != 2 {
		t.Errorf("%+v", all)
	}
}
