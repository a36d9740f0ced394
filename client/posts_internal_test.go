package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Every method that connect-go can call has a path.
func TestProcedures(t *testing.T) {
	u := newUnary(http.DefaultClient, nil, "http://x", identity{})
	for m := range u.methods {
		if procedures[m] == "" {
			t.Errorf("%v has none", m)
		}
	}
	if len(procedures) != len(u.methods) {
		t.Errorf("%d procedures, %d methods", len(procedures), len(u.methods))
	}
}

func TestWhoMakesPosts(t *testing.T) {
	t.Setenv("NO_PROXY", "*") // what net/http reads once, for all tests
	for _, c := range []struct {
		endpoint string
		given    *http.Client
		path     string // empty: none are made
	}{
		{"http://127.0.0.1:7600", nil, "/"},
		{"http://127.0.0.1:7600/", nil, "/"},
		{"http://127.0.0.1/a%2Fb/", nil, "/a%2Fb/"},
		{"https://127.0.0.1:7600", nil, ""},
		{"http://127.0.0.1:7600", http.DefaultClient, ""},
	} {
		base, err := url.Parse(c.endpoint)
		if err != nil {
			t.Fatal(err)
		}
		p := newPosts(base, c.given, identity{principal: "alice", token: "secret"})
		if p == nil {
			if c.path != "" {
				t.Errorf("%s: none are made", c.endpoint)
			}
			continue
		}
		if p.path+"/" != c.path || !strings.Contains(p.header, "Authorization: Bearer secret\r\n") ||
			!strings.Contains(p.header, principalHeader+": alice\r\n") {
			t.Errorf("%s: %+v", c.endpoint, p)
		}
	}
}

func TestTimeoutLine(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		time.Minute: "Connect-Timeout-Ms: 59999\r\n", -time.Second: "Connect-Timeout-Ms: 1\r\n",
		10_000 * time.Hour: "", // 36,000,000,000 ms
	} {
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(wait))
		defer cancel()
		got := timeoutLine(ctx)
		if got != want && !(wait == time.Minute && strings.HasPrefix(got, "Connect-Timeout-Ms: 59")) {
			t.Errorf("%v: %q, want %q", wait, got, want)
		}
	}
}
