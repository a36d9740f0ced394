package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// texts are those of a picture.
func texts(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	d, inside := xml.NewDecoder(f), false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(all, "; ")
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inside = token.Name.Local == "text"
		case xml.CharData:
			if inside {
				all = append(all, string(token))
			}
		case xml.EndElement:
			inside = false
		}
	}
}

func TestPlots(t *testing.T) {
	f, dir, again := alternating(t), t.TempDir(), t.TempDir()
	files, err := f.Plots(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Plots(again); err != nil {
		t.Fatal(err)
	}
	wants := map[string][]string{
		"throughput-put.svg":                            {"throughput against callers", "64", "cairn", "etcd", "80,000"},
		"throughput-transfer-two-optimistic.svg":        {"cairn", "etcd transfer-stm"},
		"latency-put-callers1.svg":                      {"put: latency", "99.9", "etcd", "milliseconds", "; 0.1; 1;"},
		"latency-put-callers64.svg":                     {"64 callers", "cairn"},
		"latency-transfer-two-optimistic-callers64.svg": {"etcd transfer-stm"},
		"cpu-put.svg":                                   {"etcd, 64", "cairn, 1", "member m2", "load"},
		"cpu-transfer-two-optimistic.svg":               {"etcd transfer-stm, 64", "microseconds"},
		"time-put-callers1.svg":                         {"over time", "seconds"},
		"time-put-callers64.svg":                        {"cairn", "etcd"},
		"time-transfer-two-optimistic-callers64.svg":    {"etcd transfer-stm"},
		"memory-put-callers1.svg":                       {"cairn member m1", "etcd member m2", "MiB", "seconds"},
		"memory-put-callers64.svg":                      {"memory over time"},
		"memory-transfer-two-optimistic-callers64.svg":  {"etcd transfer-stm member m1"},
	}
	if len(files) != len(wants) {
		t.Errorf("drawn are %q", files)
	}
	for name, labels := range wants {
		got := texts(t, filepath.Join(dir, name))
		for _, label := range labels {
			if !strings.Contains(got, label) {
				t.Errorf("%s: %q is not in %s", name, label, got)
			}
		}
		one, err1 := os.ReadFile(filepath.Join(dir, name))
		two, err2 := os.ReadFile(filepath.Join(again, name))
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s is drawn in two ways, %v", name, err)
		}
	}
}

// What is drawn is what was measured.
func TestCurves(t *testing.T) {
	f := alternating(t)
	groups, err := f.Groups()
	if err != nil {
		t.Fatal(err)
	}
	draw := func(kind string, without []string, of func(*sheet) []*curve) string {
		var b strings.Builder
		for _, s := range f.sheets(kind, without, groups) {
			for _, c := range of(s) {
				fmt.Fprintf(&b, "%s %s: ", s.workload, c.name)
				for _, at := range c.points {
					fmt.Fprintf(&b, "%v %v, ", at.X, at.Y)
				}
				b.WriteString("\n")
			}
		}
		return b.String()
	}
	const wantThroughput = `put cairn: 1 1600, 64 96100, 
put etcd: 1 500, 64 32000, 
transfer-two-optimistic cairn: 64 3000, 
transfer-two-optimistic etcd transfer-stm: 64 2000, 
`
	if got := draw("throughput", []string{"callers", "way"}, throughput); got != wantThroughput {
		t.Errorf("throughput\n%s", got)
	}
	const wantTime = `transfer-two-optimistic cairn: 1 3000, 2 3000, 3 3000, 4 3000, 5 3000, 6 3000, 
transfer-two-optimistic etcd transfer-stm: 1 1000, 2 1000, 3 2000, 4 2000, 5 3000, 6 3000, 
`
	if got := draw("time", []string{"way"}, overTime); !strings.HasSuffix(got, wantTime) {
		t.Errorf("over time\n%s", got)
	}
	const wantMemory = `transfer-two-optimistic etcd transfer-stm member m2: ` +
		"0 16, 1 24, 2 32, 3 16, 4 24, 5 32, 6 16, 7 24, 8 32, \n"
	if got := draw("memory", nil, memoryOverTime); !strings.HasSuffix(got, wantMemory) {
		t.Errorf("memory\n%s", got)
	}
}

func TestTitlesFit(t *testing.T) {
	got := broken("way in: stream, 64 callers, open loop of 1,500 a second, 1,000 keys, uniform, values")
	want := "way in: stream, 64 callers, open loop of 1,500 a second,\n1,000 keys, uniform, values"
	if got != want {
		t.Errorf("%q", got)
	}
}

func TestPercentilesEndWithTheOperations(t *testing.T) {
	f := &File{Format: Format, Sides: []Side{{Name: "cairn"}}}
	f.Samples = []Sample{sample(t, "cairn", 1, put(1), 100, 500)}
	groups, err := f.Groups()
	if err != nil {
		t.Fatal(err)
	}
	points := percentiles(&sheet{groups: groups})[0].points
	last := points[len(points)-1]
	if last.X < 1.9 || last.X > 2 { // no p99.9 of 100 operations
		t.Errorf("the last point is at %v nines", last.X)
	}
	if last.Y != 0.5 || points[0].Y != 0.5 {
		t.Errorf("latencies from %v to %v ms", points[0].Y, last.Y)
	}
}

// Two ways in are two lines of one picture.
func TestWaysAreTold(t *testing.T) {
	f := &File{Format: Format, Sides: []Side{{Name: "cairn"}}}
	for _, way := range []string{"stream", "unary"} {
		r := put(1)
		r.Way = way
		f.Samples = append(f.Samples, sample(t, "cairn", 1, r, 100, 500))
	}
	dir := t.TempDir()
	files, err := f.Plots(dir, "throughput", "latency", "cpu", "time")
	if err != nil || len(files) != 4 {
		t.Fatalf("drawn are %q, %v", files, err)
	}
	for _, file := range files {
		if got := texts(t, file); !strings.Contains(got, "cairn stream") || !strings.Contains(got, "cairn unary") {
			t.Errorf("%s: %s", file, got)
		}
	}
}

// A run in which nothing ended is drawn, too: as nothing.
func TestPlotsOfNothing(t *testing.T) {
	f := &File{Format: Format, Began: time.Unix(0, 0), Sides: []Side{{Name: "cairn"}}}
	if files, err := f.Plots(t.TempDir()); err != nil || len(files) != 0 {
		t.Errorf("without samples: %q, %v", files, err)
	}
	s := sample(t, "cairn", 1, put(1), 1, 500)
	s.Ops, s.Seconds, s.Processes, s.Latencies = 0, nil, nil, latencies(t, 0, 1)
	f.Samples = []Sample{s}
	if files, err := f.Plots(t.TempDir()); err != nil || len(files) != len(kinds)-1 { // but for memory
		t.Errorf("without operations: %q, %v", files, err)
	}
}
