//go:build unix

package cluster

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/launch"
)

// script starts a shell script in the place of a member.
func script(t *testing.T, text string) (*Cluster, *server) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0") // since the script does not
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &server{node: "m1", program: filepath.Join(dir, "script"), address: lis.Addr().String(),
		log: filepath.Join(dir, "m1.log"), data: dir, env: os.Environ(), launcher: launch.New(nil)}
	if err := os.WriteFile(s.program, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	c := &Cluster{links: newLinks(), dialer: new(net.Dialer), servers: map[Node]*server{"m1": s}}
	if err := c.start(s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.close()
		_ = lis.Close()
		s.launcher.Close()
		c.tasks.Wait()
	})
	return c, s
}

func TestProcessEnds(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		do         func(*Cluster) error
		want       string // in what close complains of; "": of nothing
	}{
		{"killed by close", "exec sleep 100", nil, ""},
		{"killed", "exec sleep 100", func(c *Cluster) error { return c.Kill("m1") }, ""},
		{"paused", "exec sleep 100", func(c *Cluster) error { return c.Pause("m1") }, ""},
		{"terminated", "exec sleep 100", func(c *Cluster) error {
			if err := c.Terminate(t.Context(), "m1"); err == nil || !strings.Contains(err.Error(), "terminated") {
				t.Errorf("a process that has no orderly end: %v", err)
			}
			return nil
		}, ""},
		{"by itself", "echo last words; exit 7", nil, "last words"},
		{"by itself, well", "exit 0", nil, "exit status 0"},
		{"by a signal", "kill -SEGV $$", nil, "segmentation fault"},
		{"as expected", "sleep 0.1; exit 7", func(c *Cluster) error {
			defer func() { <-c.servers["m1"].process.exited }()
			return c.Expect("m1")
		}, ""},
		{"expected, with a panic", "sleep 0.1; echo panic: of its own; exit 7", func(c *Cluster) error {
			defer func() { <-c.servers["m1"].process.exited }()
			return c.Expect("m1")
		}, "panic: of its own"},
		{"expected the life before", "test -f again && echo second life && exit 8; touch again; sleep 0.1; exit 7",
			func(c *Cluster) error {
				err := c.Expect("m1")
				<-c.servers["m1"].process.exited
				err = errors.Join(err, c.Start("m1"))
				<-c.servers["m1"].process.exited
				return err
			}, "exit status 8"},
		{"expected the next life", "test -f again && exit 8; touch again; exec sleep 100", func(c *Cluster) error {
			for again := errors.New("not yet"); again != nil; <-time.After(time.Millisecond) {
				_, again = os.Stat("again")
			}
			err := errors.Join(c.Kill("m1"), c.Expect("m1"), c.Start("m1"))
			<-c.servers["m1"].process.exited
			return err
		}, ""},
		{"again", "test -f again && exec sleep 100; touch again; echo first life; exit 7", func(c *Cluster) error {
			<-c.servers["m1"].process.exited
			return c.Start("m1")
		}, "first life"},
		{"race", "echo WARNING: DATA RACE; exec sleep 100", nil, "DATA RACE"},
		{"panic", "echo; echo panic: no; exec sleep 100", nil, "panic: no"},
		{"fatal", "echo fatal error: all asleep; exec sleep 100", nil, "all asleep"},
		{"talk of panic", "echo 'msg=\"panic: \"'; exec sleep 100", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			c, s := script(t, tc.text+"\n")
			if tc.do != nil {
				if err := tc.do(c); err != nil {
					t.Fatal(err)
				}
			}
			if tc.do == nil && !strings.HasPrefix(tc.text, "exec") {
				awaitWords(t, s, tc.text)
			}
			err := s.close()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("close complains of %v, want %q", err, tc.want)
			}
			if err := c.start(s); err == nil {
				t.Error("it starts after the end")
			}
		})
	}
}

// awaitWords returns when the script has ended, or has written the last that it has to say.
func awaitWords(t *testing.T, s *server, text string) {
	t.Helper()
	if !strings.HasSuffix(text, "exec sleep 100") {
		<-s.process.exited
		return
	}
	for end := time.Now().Add(patience); time.Now().Before(end); <-time.After(time.Millisecond) {
		b, err := os.ReadFile(s.log)
		if err == nil && bytes.Count(b, []byte("\n")) == 1+strings.Count(text, "echo") {
			return
		}
	}
	t.Fatal("the script says nothing")
}

func TestSumMetric(t *testing.T) {
	const page = "# HELP cairn_x how many\n# TYPE cairn_x counter\ncairn_x{shard=\"1\"} 2\n" +
		"cairn_x{shard=\"a b\"} 3.5\ncairn_xy 100\ncairn_y 1e3\nother_cairn_x 1\n"
	for name, want := range map[string]float64{"cairn_x": 5.5, "cairn_y": 1000, "cairn_xy": 100} {
		if got, ok, err := sumMetric(page, name); got != want || !ok || err != nil {
			t.Errorf("%s is %v, %v, %v; want %v", name, got, ok, err, want)
		}
	}
	if _, ok, err := sumMetric(page, "cairn"); ok || err != nil {
		t.Errorf("a prefix is a metric: %v", err)
	}
}
