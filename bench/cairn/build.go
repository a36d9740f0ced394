package cairn

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "github.com/cairnkv/cairn"

// Build makes the programs in a directory, as a release has them. Root is that of the module,
// of another commit perhaps; "": of the module that this process was started in.
func Build(ctx context.Context, root, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("the programs' directory: %w", err)
	}
	if root == "" {
		list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
		out, err := list.Output()
		if err != nil {
			return fmt.Errorf("go list -m %s: %w; run this inside of the module", module, err)
		}
		root = strings.TrimSpace(string(out))
	}
	cmd := exec.CommandContext(ctx, "go", "build",
		"-o", dir+string(filepath.Separator), "./cmd/gateway", "./cmd/shard")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
