//go:build unix

package nemesis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cairnkv/cairn/jepsen/cluster"
)

// look is how often somebody looks whether what he waits for has happened.
const look = 10 * time.Millisecond

// listens is in what every process prints when it is ready.
const listens = " listens on "

// trail is what processes have written since it was laid.
type trail struct {
	c    *cluster.Cluster
	from map[cluster.Node]int
}

func layTrail(c *cluster.Cluster, nodes ...cluster.Node) (*trail, error) {
	t := &trail{c: c, from: make(map[cluster.Node]int)}
	for _, n := range nodes {
		b, err := os.ReadFile(c.Log(n))
		if err != nil {
			return nil, fmt.Errorf("reading the log of %s: %w", n, err)
		}
		t.from[n] = len(b)
	}
	return t, nil
}

// said is what a process, and those after it, have written since.
func (t *trail) said(n cluster.Node) (string, error) {
	b, err := os.ReadFile(t.c.Log(n))
	if err != nil {
		return "", fmt.Errorf("reading the log of %s: %w", n, err)
	}
	return string(b[min(t.from[n], len(b)):]), nil
}

// line is the first line with one of words that a process has written since; empty: none.
func (t *trail) line(n cluster.Node, words ...string) (string, error) {
	said, err := t.said(n)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(said) {
		for _, w := range words {
			if strings.Contains(line, w) {
				const most = 300
				line = strings.TrimSpace(line)
				return line[:min(most, len(line))], nil
			}
		}
	}
	return "", nil
}

// soon is until when a process has written what is sure to come.
const soon = 5 * time.Second

// restarted says that each process has become ready again since.
func (t *trail) restarted(ctx context.Context, nodes []cluster.Node) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	for _, n := range nodes {
		err := until(ctx, "the log of "+string(n)+" tells of a new start", func() (bool, error) {
			said, err := t.said(n)
			return strings.Contains(said, listens), err
		})
		if err != nil {
			return "", err
		}
	}
	return "by its log each started again", nil
}

// lastWords is the end of what a process has written, on one line.
func (t *trail) lastWords(n cluster.Node) string {
	said, err := t.said(n)
	if err != nil {
		return err.Error()
	}
	const most = 300
	b := bytes.Join(bytes.Fields([]byte(said)), []byte(" "))
	return string(b[max(0, len(b)-most):])
}

// until looks again and again until ok, or until ctx is done.
func until(ctx context.Context, what string, ok func() (bool, error)) error {
	looks := time.NewTicker(look)
	defer looks.Stop()
	for {
		done, err := ok()
		if done {
			return nil
		}
		select {
		case <-looks.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("it did not happen that %s: %w", what, ctx.Err()), err)
		}
	}
}

// chore is what a fault does again and again while it lasts.
type chore struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
}

// begin does it on a goroutine that stop or finish waits for.
func begin(ctx context.Context, do func(ctx context.Context) error) *chore {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &chore{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(h.done)
		h.err = do(ctx)
	}()
	return h
}

// stop ends it.
func (h *chore) stop() error {
	h.cancel()
	<-h.done
	return h.err
}

// finish waits until it has come to its end, or until ctx is done.
func (h *chore) finish(ctx context.Context) error {
	select {
	case <-h.done:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), h.stop())
	}
	return h.stop()
}
