package check

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestExternal(t *testing.T) {
	script := filepath.Join(t.TempDir(), "the checker")
	text := "#!/bin/sh\necho \"$1 of $2\"\ncase $2 in\n" +
		"good) exit 0;;\nbad) exit 1;;\nslow) exec sleep 60;;\nesac\nexit 3\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(ExternalVar, "")
	if _, err := External(t.Context(), "list-append", "good"); !errors.Is(err, ErrNoExternal) {
		t.Errorf("without a checker: %v", err)
	}
	t.Setenv(ExternalVar, script)
	if all, err := External(t.Context(), "list-append", "good"); err != nil || len(all) > 0 {
		t.Errorf("good: %v, %v", all, err)
	}
	all, err := External(t.Context(), "list-append", "bad")
	if err != nil || len(all) != 1 || all[0].Name != "external-list-append" || all[0].What != "list-append of bad" {
		t.Errorf("bad: %v, %v", all, err)
	}
	if _, err := External(t.Context(), "rw-register", "else"); err == nil || !strings.Contains(err.Error(), "of else") {
		t.Errorf("neither: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := External(ctx, "rw-register", "slow"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v", err)
	}
	t.Setenv(ExternalVar, filepath.Join(t.TempDir(), "nothing"))
	if _, err := External(t.Context(), "rw-register", "good"); err == nil {
		t.Error("a checker that is not there has judged")
	}
}

func TestTail(t *testing.T) {
	out := &tail{max: 4}
	for _, s := range []string{"abc", "defgh", "i"} {
		if n, err := out.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	if string(out.kept) != "fghi" {
		t.Errorf("kept %q", out.kept)
	}
}
