package report

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// What is printed is in testdata; -rewrite writes it anew.
func TestTables(t *testing.T) {
	datadriven.RunTest(t, "testdata/tables.txt", func(t *testing.T, d *datadriven.TestData) string {
		f := alternating(t)
		var b strings.Builder
		var err error
		switch d.Cmd {
		case "text":
			err = f.Text(&b)
		case "markdown":
			err = f.Markdown(&b)
		case "targets":
			verdicts, judged := Judge(Targets, []*File{f})
			if judged != nil {
				t.Fatal(judged)
			}
			err = errors.Join(TargetTable(verdicts).Text(&b), TargetSummary(verdicts).Markdown(&b))
		default:
			t.Fatalf("no command %q", d.Cmd)
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	})
}
