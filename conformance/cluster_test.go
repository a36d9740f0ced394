package conformance

import (
	"bytes"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/loopback"
)

// patience is how long a test waits for a process.
const patience = time.Minute

// cluster is three members and a gateway, all real processes.
type cluster struct {
	programs string
	dir      string
	members  []string // addresses, member 1's first
	running  []*exec.Cmd
	gateway  *exec.Cmd
	endpoint string
}

// newCluster returns when the gateway is ready.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	free, err := loopback.Free(4)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{
		programs: t.TempDir(), dir: t.TempDir(), members: free[:3], running: make([]*exec.Cmd, 3),
		endpoint: "http://" + free[3],
	}
	build := exec.Command("go", "build", "-o", c.programs, "./cmd/gateway", "./cmd/shard")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for i := range c.members {
		c.start(t, i)
	}
	c.gateway = c.spawn(t, "gateway", free[3], "--shards", strings.Join(c.members, ","))
	eventually(t, "the gateway is ready", func() bool {
		resp, err := http.Get(c.endpoint + "/readyz")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	return c
}

// start starts a member, for the first time or again.
func (c *cluster) start(t *testing.T, i int) {
	t.Helper()
	c.running[i] = c.spawn(t, "shard", c.members[i], "--data", filepath.Join(c.dir, strconv.Itoa(i+1)),
		"--cache", "32", "--id", strconv.Itoa(i+1), "--join", strings.Join(c.members, ","))
}

// spawn starts a server. Its end is that of the test at the latest; if that has failed, the last of
// what the server said is shown.
func (c *cluster) spawn(t *testing.T, program, address string, args ...string) *exec.Cmd {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(filepath.Join(c.programs, program), append([]string{"--listen", address}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &said, &said, attributes()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			text := said.Bytes()
			t.Logf("the last words of %s %v:\n%s", program, args, text[max(0, len(text)-4096):])
		}
	})
	return cmd
}

// eventually tries until ok, every few milliseconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen within %v: %s", patience, what)
		}
	}
}

// TestClusterCases runs all cases over all ways into three processes and a gateway.
func TestClusterCases(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and starts programs")
	}
	runAll(t, newCluster(t).endpoint)
}
