package conformance

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/run"
)

// stepMax bounds one step, and how long one that waits for time is tried.
const stepMax = 20 * time.Second

// way is a way into Cairn: it does steps.
type way interface {
	// cannot says why a step cannot be said here; empty = it can.
	cannot(s *Step) string
	// silent says which words of an answer a way in does not have.
	silent(s *Step, what string) bool
	do(ctx context.Context, s *Step) (answer, error)
}

// newWay makes a way into the server at an endpoint, for one case.
type newWay func(t *testing.T, endpoint string) way

// ways are all ways in.
var ways = map[string]newWay{
	"sdk": newSDK,
	"connect": func(_ *testing.T, endpoint string) way {
		return &rpc{&jsonCarrier{endpoint, http.DefaultClient}, make(map[string]string)}
	},
	"grpc": func(t *testing.T, endpoint string) way {
		c := newGRPC(endpoint)
		t.Cleanup(c.close)
		return &rpc{c, make(map[string]string)}
	},
	"http": func(_ *testing.T, endpoint string) way { return &httpWay{endpoint, http.DefaultClient} },
	"cli":  func(_ *testing.T, endpoint string) way { return &cliWay{endpoint} },
}

// embedded starts a gateway with its member in this process, and returns its endpoint.
func embedded(t *testing.T) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	serving, ended := make(chan string, 1), make(chan error, 1)
	g := &run.Gateway{
		Listen: "127.0.0.1:0", Data: filepath.Join(t.TempDir(), "data"), CacheMiB: 32,
		Stdout: io.Discard, Stderr: io.Discard,
		Serving: func(address string) { serving <- address },
	}
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	})
	select {
	case address := <-serving:
		return "http://" + address
	case err := <-ended:
		ended <- err
		t.Fatalf("the gateway ended with %v before it served", err)
	case <-time.After(stepMax):
		t.Fatalf("the gateway does not serve after %v", stepMax)
	}
	return ""
}

// cases are read anew for each run: a run changes them.
func cases(t *testing.T) []*Case {
	t.Helper()
	all, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCases runs all cases over all ways into one process.
func TestCases(t *testing.T) {
	runAll(t, embedded(t))
}

// runAll runs all cases over all ways, side by side: each has keys of its own.
func runAll(t *testing.T, endpoint string) {
	t.Helper()
	for name, open := range ways {
		for _, c := range cases(t) {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				t.Parallel()
				runCase(t, c, NewPlace(name+"."+c.Name+"."), open(t, endpoint))
			})
		}
	}
}

func runCase(t *testing.T, c *Case, p *Place, w way) {
	t.Helper()
	for _, s := range c.Steps {
		if why := w.cannot(s); why != "" {
			t.Skipf("%s.txt:%d: %s: %s", c.Section, s.Line, s.Text, why)
		}
	}
	for _, s := range c.Steps {
		if err := p.Put(s); err != nil {
			t.Fatalf("%s.txt:%d: %s: %v", c.Section, s.Line, s.Text, err)
		}
		problem, err := runStep(t, p, w, s)
		switch {
		case err != nil:
			t.Fatalf("%s.txt:%d: %s: %v", c.Section, s.Line, s.Text, err)
		case problem != "":
			t.Fatalf("%s.txt:%d: %s\n%s", c.Section, s.Line, s.Text, problem)
		}
	}
}

// runStep does a step; one that waits for time is done until it is as wanted.
func runStep(t *testing.T, p *Place, w way, s *Step) (problem string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stepMax)
	defer cancel()
	for {
		a, err := w.do(ctx, s)
		if err != nil {
			return "", err
		}
		compare := comparison{p, time.Now(), func(what string) bool { return w.silent(s, what) }}
		problem := compare.all(&a, s.Want)
		if problem != "" {
			problem += "\nanswer: " + a.String()
		}
		if problem == "" || !s.Until {
			return problem, nil
		}
		select {
		case <-ctx.Done():
			return problem, nil
		case <-time.After(2 * time.Millisecond):
		}
	}
}
