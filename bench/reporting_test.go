package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// page is one with a part, between other lines.
func page(t *testing.T, dir, name, part string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	text := "before\n<!-- bench:" + part + " -->\n<!-- /bench:" + part + " -->\nbehind\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPartsOfPages(t *testing.T) {
	st, dir := set(t, 2), t.TempDir()
	if err := st.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	results := filepath.Join(st.out, resultsFile)
	full, readme := page(t, dir, "full.md", "targets"), page(t, dir, "README.md", "targets")
	other, long := page(t, dir, "other.md", "targets"), page(t, dir, "long.md", "long")
	for _, args := range [][]string{
		{"--page", full, "--page", other, "--summary", readme, results},
		{"--part", "long", "--page", long, "--plots", filepath.Join(dir, "plots"),
			"--pictures", "time", results},
	} {
		if code, err := runReport(t.Context(), args); code != 0 || err != nil {
			t.Fatalf("%q: code %d, %v", args, code, err)
		}
	}
	for name, wants := range map[string][]string{
		full:   {"| target | of | Cairn |", "- new: ", "put, one caller"},
		other:  {"| target | of | Cairn |"},
		readme: {"| target | ratio | floor |", "put, one caller, p50", "- 20", ", new , old"},
		long:   {"**Throughput and latency**", "![time-put](plots/time-put.svg)"},
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(wants, "before\n<!-- bench:", "-->\nbehind\n") {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: %q is not in\n%s", name, want, text)
			}
		}
	}
	if plots, err := os.ReadDir(filepath.Join(dir, "plots")); err != nil || len(plots) != 2 {
		t.Errorf("drawn are %v, %v", plots, err)
	}
	code, err := runReport(t.Context(), []string{"--pictures", "mona-lisa", results})
	if code != exitUsage || err == nil {
		t.Errorf("a picture that there is not: code %d, %v", code, err)
	}
	if _, err := runReport(t.Context(), []string{"--part", "growth", "--page", long, results}); err == nil {
		t.Error("a part that the page has not is written")
	}
}
