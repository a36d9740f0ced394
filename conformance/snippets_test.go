package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var declared = regexp.MustCompile(`(?m)^(?:for )?(\w+)(?:, (err))? := `)

// TestSnippets compiles each line of Go that the reference could show.
func TestSnippets(t *testing.T) {
	var b strings.Builder
	b.WriteString("package snippets\n\nimport (\n\t\"context\"\n\t\"math\"\n\t\"time\"\n\n" +
		"\t\"github.com/cairnkv/cairn/client\"\n)\n\nvar (\n\t_ = math.Pi\n\t_ = time.Second\n)\n")
	n := 0
	for _, c := range cases(t) {
		p := NewPlace("")
		p.Example = true
		for _, s := range c.Steps {
			if err := p.Put(s); err != nil {
				t.Fatal(err)
			}
			text := s.Go()
			if text == "" {
				continue
			}
			n++
			tx := "tx"
			if s.Tx != "" && s.Op != "begin" {
				tx = s.Tx
			}
			fmt.Fprintf(&b, "\n// %s.txt:%d\nfunc snippet%d(ctx context.Context, db *client.DB, %s *client.Txn) {\n%s\n}\n",
				c.Section, s.Line, n, tx, used(text))
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "snippets.go")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(here, "snippets", "snippets.go"): file},
	})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", list, "./snippets").CombinedOutput(); err != nil {
		t.Errorf("%d snippets: %v\n%s", n, err, out)
	}
	if n < 400 {
		t.Errorf("there are %d snippets", n)
	}
}

// used is a snippet whose variables are used, and whose loops have a body.
func used(text string) string {
	for _, m := range declared.FindAllStringSubmatch(text, -1) {
		use := "\n_ = " + m[1]
		if m[2] != "" {
			use += "\n_ = err"
		}
		if strings.HasPrefix(m[0], "for") {
			text = strings.Replace(text, "...", strings.TrimPrefix(use, "\n"), 1)
		} else if m[1] != "r" {
			text += use
		}
	}
	return text
}
