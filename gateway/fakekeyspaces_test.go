package gateway

import (
	"context"
	"slices"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// fakeTable is a table of keyspaces.
type fakeTable struct {
	last    txn.KeyspaceID // that was given out, beyond the default
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

// ChangeKeyspace creates, updates and deletes as the meta group does, but for its limits.
func (f *fakeShards) ChangeKeyspace(
	_ context.Context, req *shardrpc.ChangeKeyspaceRequest,
) (*shardrpc.ChangeKeyspaceResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, resp := &req.Change, &shardrpc.ChangeKeyspaceResponse{Answer: shardrpc.OK}
	at := slices.IndexFunc(f.table.all, func(ks txn.Keyspace) bool {
		return ks.Name == c.Name || ks.ID == c.ID
	})
	there := at >= 0
	switch {
	case c.Verb == txn.CreateKeyspace && !there:
		f.table.last++
		f.table.all = append(f.table.all, txn.Keyspace{ID: txn.DefaultKeyspace + f.table.last,
			Name: c.Name, KeyspaceOptions: c.Options, Version: 1, CreatedAt: c.At})
		at, resp.Changed = len(f.table.all)-1, true
	case c.Verb == txn.CreateKeyspace && f.table.all[at].KeyspaceOptions != c.Options:
		resp.Err = txn.Errorf(txn.Invalid, "keyspace_exists", "it is there with other options")
		return resp, nil
	case !there:
		return resp, nil
	case c.Verb == txn.UpdateKeyspace:
		f.table.all[at].KeyspaceOptions = c.Update(f.table.all[at].KeyspaceOptions)
		resp.Changed = true
	case c.Verb == txn.DeleteKeyspace:
		f.table.all[at].Deleting, resp.Changed = true, true
	case c.Verb == txn.FinishKeyspace:
		f.table.all = slices.Delete(slices.Clone(f.table.all), at, at+1)
		f.table.changes++
		resp.Changed = true
		return resp, nil
	}
	f.table.changes++
	resp.Keyspace = new(f.table.all[at])
	return resp, nil
}

func (f *fakeShards) Drop(context.Context, *shardrpc.DropRequest) (*shardrpc.DropResponse, error) {
	return &shardrpc.DropResponse{Answer: shardrpc.OK}, nil
}

func (f *fakeShards) Usage(context.Context, *shardrpc.UsageRequest) (*shardrpc.UsageResponse, error) {
	return &shardrpc.UsageResponse{Answer: shardrpc.OK}, nil
}
