package coordinator_test

import (
	"context"
	"fmt"

	"github.com/cairnkv/cairn/proto/shardrpc"
)

func (f *fake) Keyspaces(
	_ context.Context, req *shardrpc.KeyspacesRequest,
) (*shardrpc.KeyspacesResponse, error) {
	r, err := f.receive("keyspaces", req.Target, req, fmt.Sprintf("known=%d", req.Known))
	if err != nil {
		return nil, err
	}
	return &shardrpc.KeyspacesResponse{Answer: r.answer().Answer, Same: true, Changes: req.Known}, nil
}

func (f *fake) ChangeKeyspace(
	_ context.Context, req *shardrpc.ChangeKeyspaceRequest,
) (*shardrpc.ChangeKeyspaceResponse, error) {
	r, err := f.receive("change-keyspace", req.Target, req, fmt.Sprintf("%d %q", req.Change.Verb, req.Change.Name))
	if err != nil {
		return nil, err
	}
	return &shardrpc.ChangeKeyspaceResponse{Answer: r.answer().Answer, Changed: true}, nil
}

func (f *fake) Drop(_ context.Context, req *shardrpc.DropRequest) (*shardrpc.DropResponse, error) {
	step := [...]string{"mark", "look", "erase"}[req.Step]
	r, err := f.receive("drop", req.Target, req, fmt.Sprintf("%d %s at=%d", req.Keyspace, step, req.At))
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.DropResponse{Answer: r.answer().Answer}
	if r.word == "blocked" {
		resp.Blocked = []shardrpc.Blocker{r.blocker()}
	}
	return resp, nil
}

func (f *fake) Usage(_ context.Context, req *shardrpc.UsageRequest) (*shardrpc.UsageResponse, error) {
	r, err := f.receive("usage", req.Target, req, "")
	if err != nil {
		return nil, err
	}
	return &shardrpc.UsageResponse{Answer: r.answer().Answer}, nil
}
