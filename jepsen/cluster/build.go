package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "github.com/cairnkv/cairn"

// Programs are the binaries of a debug build.
type Programs struct{ Gateway, Shard string }

// Build makes the programs in a directory; with mutants they can have bugs planted in them. It
// works in any directory of the module.
func Build(ctx context.Context, dir string, mutants bool) (Programs, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Programs{}, fmt.Errorf("the programs' directory: %w", err)
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return Programs{}, fmt.Errorf("go list -m %s: %w; run this inside of the module", module, err)
	}
	tags := "faults"
	if mutants {
		tags += ",mutants"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", tags,
		"-o", dir+string(filepath.Separator), "./cmd/gateway", "./cmd/shard")
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return Programs{}, fmt.Errorf("go build -tags %s: %w\n%s", tags, err, out)
	}
	return Programs{filepath.Join(dir, "gateway"), filepath.Join(dir, "shard")}, nil
}
