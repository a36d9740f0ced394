package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// ExternalVar is the path of a program of others that judges histories, and nothing
// but the path: it may have blanks in it. It is run with a model, such as list-append,
// and a file, and ends with 0 for a valid history and 1 for one with an anomaly.
const ExternalVar = "ISOLATION_CHECKER"

// ErrNoExternal is what External returns where that is not set.
var ErrNoExternal = errors.New("no external checker: set " + ExternalVar)

const (
	externalOutputMax = 4 << 10         // bytes of what it says that an Anomaly keeps
	externalWait      = 2 * time.Second // for its output, once it has ended or was killed
)

// External asks the checker of others about a file. Whatever is neither yes nor no
// is an error, and so is the end of ctx, which kills it.
func External(ctx context.Context, model, path string) ([]Anomaly, error) {
	program := os.Getenv(ExternalVar)
	if program == "" {
		return nil, ErrNoExternal
	}
	cmd := exec.CommandContext(ctx, program, model, path)
	cmd.WaitDelay = externalWait
	out := &tail{max: externalOutputMax}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	said := strings.TrimSpace(string(out.kept))
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s did not end in time: %w", ExternalVar, context.Cause(ctx))
	case ended && exit.ExitCode() == 1:
		return []Anomaly{{Name: "external-" + model, What: said}}, nil
	}
	return nil, fmt.Errorf("%s on %s: %w: %s", program, path, err, said)
}

// tail keeps the end of what is written to it.
type tail struct {
	kept []byte
	max  int
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - t.max; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}
