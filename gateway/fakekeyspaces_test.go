package gateway

import (
	"context"
	"errors"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// fakeTable is a table of keyspaces that tests fill by hand.
type fakeTable struct {
	all     []txn.Keyspace
	changes uint64
	asked   int
}

func defaultFake() txn.Keyspace {
	return txn.Keyspace{ID: txn.DefaultKeyspace, Name: txn.DefaultKeyspaceName, Version: 1,
		KeyspaceOptions: txn.KeyspaceOptions{}.WithDefaults()}
}

// setKeyspaces replaces the table; the default keyspace is always there.
func (f *fakeShards) setKeyspaces(all ...txn.Keyspace) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.table.all = all
	f.table.changes++
}

func (f *fakeShards) Keyspaces(
	_ context.Context, req *shardrpc.KeyspacesRequest,
) (*shardrpc.KeyspacesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.table.asked++
	changes := f.table.changes + 1
	if req.Known == changes {
		return &shardrpc.KeyspacesResponse{Answer: shardrpc.OK, Same: true, Changes: changes}, nil
	}
	all := append([]txn.Keyspace{defaultFake()}, f.table.all...)
	return &shardrpc.KeyspacesResponse{Answer: shardrpc.OK, Changes: changes, Keyspaces: all}, nil
}

var errNoTable = errors.New("the fake's table is changed by hand")

func (f *fakeShards) ChangeKeyspace(
	context.Context, *shardrpc.ChangeKeyspaceRequest,
) (*shardrpc.ChangeKeyspaceResponse, error) {
	return nil, errNoTable
}

func (f *fakeShards) Drop(context.Context, *shardrpc.DropRequest) (*shardrpc.DropResponse, error) {
	return nil, errNoTable
}

func (f *fakeShards) Usage(context.Context, *shardrpc.UsageRequest) (*shardrpc.UsageResponse, error) {
	return &shardrpc.UsageResponse{Answer: shardrpc.OK}, nil
}
