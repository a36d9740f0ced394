package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
)

// roundsMax is how many rounds a kill may take that hits an import.
const roundsMax = 3

// TestKill kills the gateway in the middle of imports of the Go sources, at
// random moments, and looks at what is there after each restart:
// three times, or CAIRN_KILLS times (make long-kill).
func TestKill(t *testing.T) {
	kills := 3
	if s := os.Getenv("CAIRN_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src")
	if kills == 3 {
		source = filepath.Join(source, "cmd") // a third of it
	}
	p := build(t)
	data := filepath.Join(t.TempDir(), "data")
	whole := duration(t, p, source)
	g := start(t, p, data)
	var ready []time.Duration
	for i, hit := 0, 0; hit < kills; i++ {
		if i == roundsMax*kills {
			t.Fatalf("%d of %d kills came before the import had ended", hit, i)
		}
		prefix := fmt.Sprintf("go%d/", i)
		journal := filepath.Join(t.TempDir(), "journal")
		began := time.Now()
		code := importUntilKilled(t, p, g, importing{source, prefix, journal, whole})
		if code == 0 { // too late: it was faster this time
			whole = min(whole, time.Since(began))
		} else {
			hit++
		}
		g = start(t, p, data)
		ready = append(ready, g.ready)
		found := verify(t, g, source, prefix, journal)
		t.Logf("kill %d: import ended with %d, %d files there, %d acknowledged, ready in %v",
			i, code, found.files, found.acknowledged, g.ready.Round(time.Millisecond))
	}
	slices.Sort(ready)
	t.Logf("start to /readyz: median %v, worst %v of %d",
		ready[len(ready)/2].Round(time.Millisecond), ready[len(ready)-1], len(ready))
	if median := ready[len(ready)/2]; median > 10*time.Second { // ten times the target
		t.Errorf("a restart takes %v in the median", median)
	}
	again(t, p, g, source)
}

// duration is how long an undisturbed import takes.
func duration(t *testing.T, p programs, source string) time.Duration {
	g := start(t, p, filepath.Join(t.TempDir(), "undisturbed"))
	defer g.kill()
	began := time.Now()
	out, err := exec.Command(p.cairn, "--endpoint", g.endpoint,
		"import", source, "--prefix", "go/").CombinedOutput()
	if err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	t.Logf("undisturbed: %s", bytes.TrimSpace(out))
	return time.Since(began)
}

type importing struct {
	source, prefix, journal string
	whole                   time.Duration
}

// importUntilKilled returns the exit code of the import whose gateway died.
func importUntilKilled(t *testing.T, p programs, g *process, im importing) int {
	cmd := exec.Command(p.cairn, "--endpoint", g.endpoint,
		"import", im.source, "--prefix", im.prefix, "--journal", im.journal)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-time.After(im.whole/10 + rand.N(im.whole*8/10)):
		g.kill()
		<-ended
	case <-ended:
		g.kill()
	}
	code := cmd.ProcessState.ExitCode()
	if !slices.Contains([]int{0, 5, 6}, code) {
		t.Errorf("import ended with %d, not with 0, 5 or 6", code)
	}
	return code
}

type found struct{ files, acknowledged int }

// verify holds what is there against the lists, the journal and the source.
func verify(t *testing.T, g *process, source, prefix, journal string) found {
	t.Helper()
	db, err := client.New(client.Options{Endpoint: g.endpoint})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	there := map[string]bool{}
	for e, err := range db.Scan(t.Context(), client.Prefix(prefix)) {
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(e.Key, prefix)
		want, err := os.ReadFile(filepath.Join(source, name))
		if err != nil || !bytes.Equal(want, e.Value.Data) {
			t.Errorf("%s is not whole: %d bytes, %v", e.Key, len(e.Value.Data), err)
		}
		there[e.Key] = true
	}
	listed := map[string]bool{}
	for e, err := range db.Scan(t.Context(), client.Prefix("import/"+prefix)) {
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		if err := json.Unmarshal(e.Value.Data, &names); err != nil {
			t.Fatalf("%s: %v", e.Key, err)
		}
		for _, n := range names {
			if listed[n] = true; !there[n] {
				t.Errorf("%s lists %s, which is not there", e.Key, n)
			}
		}
	}
	for n := range there {
		if !listed[n] {
			t.Errorf("%s is there and no list names it", n)
		}
	}
	acknowledged, err := os.ReadFile(journal)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	names := strings.Fields(string(acknowledged))
	for _, n := range names {
		if !there[prefix+n] {
			t.Errorf("%s was acknowledged and is lost", n)
		}
	}
	return found{len(there), len(names)}
}

// again runs the last import once more: it completes, and exports as it was.
func again(t *testing.T, p programs, g *process, source string) {
	out := filepath.Join(t.TempDir(), "out")
	for _, args := range [][]string{
		{"import", source, "--prefix", "go0/"},
		{"export", out, "--prefix", "go0/"},
	} {
		args = append([]string{"--endpoint", g.endpoint}, args...)
		if text, err := exec.Command(p.cairn, args...).CombinedOutput(); err != nil {
			t.Fatalf("cairn %v: %v\n%s", args, err, text)
		}
	}
	if text, err := exec.Command("diff", "-r", source, out).CombinedOutput(); err != nil {
		t.Errorf("the export differs: %v\n%.2000s", err, text)
	}
}
