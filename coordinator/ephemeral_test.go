package coordinator_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// ephemeral carries out the operations of the input on ephemeral keys.
func (s *story) ephemeral(ctx context.Context, d *datadriven.TestData, deadline time.Duration) string {
	results, at, err := s.c.Ephemeral(ctx, program(d.Input).Then, deadline)
	if err != nil {
		return s.failure(err)
	}
	var got []string
	for i := range results {
		got = append(got, fmt.Sprintf("%s ok=%v", results[i].Entry.Key.User(), results[i].OK))
	}
	return fmt.Sprintf("at %d: %s", at, strings.Join(got, ", "))
}

func (f *fake) Ephemeral(
	_ context.Context, req *shardrpc.EphemeralRequest,
) (*shardrpc.EphemeralResponse, error) {
	var keys []txn.Key
	for i := range req.Ops {
		keys = append(keys, req.Ops[i].Key)
	}
	r, err := f.receive("ephemeral", req.Target, req, keyList(keys))
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.EphemeralResponse{Answer: r.answer().Answer, At: r.ts("ts")}
	if resp.Answer != shardrpc.OK {
		return resp, nil
	}
	if r.word == "full" { // from the second operation on
		resp.Err = txn.Errorf(txn.Exhausted, "ephemeral_too_large", "too large")
		resp.Err.Key = req.Ops[len(req.Ops)-1].Key
		req.Ops = req.Ops[:len(req.Ops)-1]
	}
	for i := range req.Ops {
		resp.Results = append(resp.Results, txn.Result{OK: true, Entry: txn.Entry{Key: req.Ops[i].Key}})
	}
	return resp, nil
}
