package coordinator_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// options are those of an execute or a commit: request=ID.
func (s *story) options(d *datadriven.TestData, deadline time.Duration) coordinator.CommitOptions {
	o := coordinator.CommitOptions{Deadline: deadline}
	if d.HasArg("request") {
		o.Request.ID = requestID(s, d)
	}
	return o
}

func requestID(s *story, d *datadriven.TestData) txn.RequestID {
	var name string
	d.ScanArgs(s.t, "request", &name)
	return txn.HashRequestID([]byte(name))
}

// outcome asks with the token of the last unknown outcome, or with one of
// request=ID anchor=KEY since=TS.
func (s *story) outcome(ctx context.Context, d *datadriven.TestData, deadline time.Duration) string {
	t, err := token.Parse(s.token)
	switch {
	case d.HasArg("request"):
		t = token.Token{ID: requestID(s, d), Since: s.fake.oracle}
		var anchor string
		d.ScanArgs(s.t, "anchor", &anchor)
		t.Anchor = key(anchor)
		if d.HasArg("since") {
			var since int64
			d.ScanArgs(s.t, "since", &since)
			t.Since = txn.Timestamp(since)
		}
	case err != nil:
		return err.Error()
	}
	out, err := s.c.Outcome(ctx, t, deadline)
	if err != nil {
		return s.failure(err)
	}
	return fmt.Sprintf("%v at %d %s", out.Status, out.CommitTS, out.Reason)
}

// tokenText is what an unknown outcome can be asked for with.
func tokenText(text string) string {
	if text == "" {
		return "none"
	}
	t, err := token.Parse(text)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("request at %s since %d", t.Anchor.User(), t.Since)
}

func requestText(q *txn.Request, anchor txn.Key) string {
	if q == nil {
		return ""
	}
	return fmt.Sprintf(" request at %s", anchor.User())
}

func (f *fake) Inquire(_ context.Context, req *shardrpc.InquireRequest) (*shardrpc.InquireResponse, error) {
	text := fmt.Sprintf("at %s base=%d", req.Anchor.User(), req.BaseTS)
	if !req.Prevent {
		text += " look"
	}
	r, err := f.receive("inquire", req.Target, text, text)
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.InquireResponse{Answer: r.answer().Answer, Status: r.status(), CommitTS: r.ts("ts")}
	switch {
	case r.word == "pending":
		b := r.blocker()
		resp.Blocker = &b
	case r.word == "ok" && req.Prevent:
		resp.Status = txn.Aborted
	}
	return resp, nil
}

// Whoever leaves while another attempt of his request is open is not told that nothing happened.
func TestLeftWhileOpen(t *testing.T) {
	s := newStory(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.plan("commit s2 refused:request_open key=c txn=9.6 primary=c" + strings.Repeat("\nquery s2 pending", 9))
	s.env.run(t, func() {
		s.env.Go("leaver", func() {
			_ = s.env.Sleep(t.Context(), 5*time.Millisecond)
			cancel()
		})
		_, err := s.c.Execute(ctx, program("set c 2"), coordinator.CommitOptions{
			Request: txn.Request{ID: txn.HashRequestID([]byte("r"))}})
		if txn.KindOf(err) != txn.Unknown {
			t.Errorf("another attempt may commit yet, and the answer is %v", err)
		}
	})
}
