//go:build mutants

package mutant

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// directedMax bounds one run of a directed test.
const directedMax = time.Minute

// Fails checks that a test of the package under test, named as -run wants it,
// fails with a planted bug and passes without.
func Fails(t *testing.T, planted Name, test string) {
	t.Helper()
	pattern := "^" + strings.ReplaceAll(test, "/", "$/^") + "$"
	if text, err := runOnly(t, pattern, ""); err != nil || strings.Contains(text, "no tests to run") {
		t.Errorf("%s does not pass without %s: %v\n%s", test, planted, err, text)
		return
	}
	var failed *exec.ExitError
	if text, err := runOnly(t, pattern, planted); !errors.As(err, &failed) {
		t.Errorf("%s does not see %s: %v\n%s", test, planted, err, text)
	}
}

// runOnly runs tests of the binary that is running.
func runOnly(t *testing.T, pattern string, planted Name) (text string, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), directedMax)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run", pattern)
	cmd.Env = append(os.Environ(), "CAIRN_MUTANT="+string(planted))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
