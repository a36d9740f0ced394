package callctx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cairnkv/cairn/proto/callctx"
)

type key struct{}

func TestContext(t *testing.T) {
	deadline := time.Now().Add(time.Hour)
	c := new(callctx.Context)
	c.Begin(context.WithValue(t.Context(), key{}, "value"), deadline)
	if at, ok := c.Deadline(); !ok || at != deadline {
		t.Errorf("deadline %v, %v", at, ok)
	}
	if c.Value(key{}) != "value" || c.Err() != nil {
		t.Errorf("value %v, error %v", c.Value(key{}), c.Err())
	}
	child, cancel := context.WithCancel(c)
	defer cancel()
	left, leave := context.WithCancel(c)
	leave()
	ran := make(chan error, 1)
	context.AfterFunc(child, func() { ran <- context.Cause(child) })
	over := errors.New("over")
	c.End(over)
	c.End(errors.New("again"))
	<-c.Done()
	if err := <-ran; !errors.Is(err, over) || c.Err() != err {
		t.Errorf("the child ended with %v, its parent with %v", err, c.Err())
	}
	if !errors.Is(left.Err(), context.Canceled) {
		t.Errorf("who had left ended with %v", left.Err())
	}
	late, cancel := context.WithCancel(c)
	defer cancel()
	if <-late.Done(); !errors.Is(late.Err(), over) {
		t.Errorf("who came later ended with %v", late.Err())
	}
}

// Whoever waits before the end, and whoever asks after it, sees it.
func TestDone(t *testing.T) {
	before, after := new(callctx.Context), new(callctx.Context)
	before.Begin(t.Context(), time.Time{})
	after.Begin(t.Context(), time.Time{})
	if _, ok := before.Deadline(); ok {
		t.Error("there is a deadline")
	}
	waits := before.Done()
	before.End(context.Canceled)
	after.End(context.Canceled)
	<-waits
	<-after.Done()
}

func BenchmarkContext(b *testing.B) {
	stream, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.Run("callctx", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := new(callctx.Context)
			c.Begin(stream, time.Time{})
			c.End(context.Canceled)
		}
	})
	b.Run("context", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, cancel := context.WithCancel(stream)
			cancel()
		}
	})
}
