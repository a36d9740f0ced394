package cairn_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/internal/loopback"
)

// example is a command of a tour with the output that it promises.
type example struct{ command, want string }

// TestReadme types README's five minutes and the page about HTTP, as they stand
// there, each at a gateway of its own.
func TestReadme(t *testing.T) {
	bin := t.TempDir()
	out, err := exec.Command("go", "build", "-o", bin, "./cmd/cairn", "./cmd/gateway").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, page := range []string{"README.md", "docs/http.md"} {
		t.Run(page, func(t *testing.T) { takeTour(t, bin, page) })
	}
}

func takeTour(t *testing.T, bin, page string) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	tour := examples(string(text))
	if len(tour) < 10 {
		t.Fatalf("it has %d examples", len(tour))
	}
	address := startGateway(t, filepath.Join(bin, "gateway"))
	times := regexp.MustCompile(`\d+ms|\b\d{13}(\d{3})?\b`) // how long it took, and when it was
	for _, e := range tour {
		if strings.HasPrefix(e.command, "go build ") {
			continue // done, into another directory
		}
		cmd := exec.Command("bash", "-c", strings.ReplaceAll(e.command, "127.0.0.1:7600", address))
		cmd.Env = append(os.Environ(),
			"PATH="+bin+":"+os.Getenv("PATH"), "CAIRN_ENDPOINT=http://"+address)
		out, _ := cmd.Output() // an exit code of 3 is part of the tour
		got := times.ReplaceAllString(strings.TrimSpace(string(out)), "1ms")
		if want := times.ReplaceAllString(e.want, "1ms"); got != want && want != "" {
			t.Errorf("%s\n got %s\nwant %s", e.command, got, want)
		}
	}
}

// examples are the commands in the console blocks of a page.
func examples(page string) []example {
	var all []example
	inside := false
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside:
		case strings.HasPrefix(line, "$ "):
			all = append(all, example{command: line[2:]})
		default:
			e := &all[len(all)-1]
			e.want = strings.TrimPrefix(e.want+"\n"+line, "\n")
		}
	}
	return all
}

func startGateway(t *testing.T, program string) (address string) {
	t.Helper()
	free, err := loopback.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	address = free[0]
	cmd := exec.Command(program, "--listen", address, "--data", filepath.Join(t.TempDir(), "data"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	})
	if !bufio.NewScanner(out).Scan() { // its message comes once it serves
		t.Fatal("the gateway ended before it was ready")
	}
	return address
}
