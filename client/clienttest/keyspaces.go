package clienttest

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// keyspaceTable is the keyspaces that were made. Keys may be put into others all the same.
type keyspaceTable map[string]*cairnv1.Keyspace

func newKeyspaceTable() keyspaceTable {
	return keyspaceTable{txn.DefaultKeyspaceName: withDefaults(
		&cairnv1.Keyspace{Name: txn.DefaultKeyspaceName})}
}

func withDefaults(k *cairnv1.Keyspace) *cairnv1.Keyspace {
	k.HistoryAgeMs = cmp.Or(k.HistoryAgeMs, txn.HistoryAgeMin)
	k.HistoryCount = cmp.Or(k.HistoryCount, txn.HistoryCountDefault)
	k.ValueBytesMax = cmp.Or(k.ValueBytesMax, txn.ValueBytesMax)
	return k
}

// keyspace does one call about keyspaces; false if req is none.
func (s *Server) keyspace(req proto.Message) (res proto.Message, ours bool, err error) {
	t := s.store.spaces
	switch r := req.(type) {
	case *cairnv1.CreateKeyspaceRequest:
		name := r.GetKeyspace().GetName()
		if err := txn.CheckKeyspaceName(name); err != nil {
			return nil, true, err
		}
		want := withDefaults(proto.CloneOf(r.Keyspace))
		was := t[name]
		if was != nil && !proto.Equal(was, want) {
			return nil, true, txn.Errorf(txn.Invalid, "keyspace_exists",
				"keyspace %q is there with other options", name)
		}
		t[name] = want
		return &cairnv1.CreateKeyspaceResponse{Keyspace: want, Created: was == nil}, true, nil
	case *cairnv1.UpdateKeyspaceRequest:
		k := t[r.Name]
		if k == nil {
			return nil, true, txn.NoKeyspace("there is no such keyspace")
		}
		update(k, r)
		return &cairnv1.UpdateKeyspaceResponse{Keyspace: k}, true, nil
	case *cairnv1.DeleteKeyspaceRequest:
		k := t[r.Name]
		delete(t, r.Name)
		return &cairnv1.DeleteKeyspaceResponse{Deleted: k != nil}, true, nil
	case *cairnv1.ListKeyspacesRequest:
		res := &cairnv1.ListKeyspacesResponse{}
		for _, name := range slices.Sorted(maps.Keys(t)) {
			res.Keyspaces = append(res.Keyspaces, t[name])
		}
		return res, true, nil
	case *cairnv1.GetKeyspaceRequest:
		k := t[cmp.Or(r.Name, txn.DefaultKeyspaceName)]
		if k == nil {
			return nil, true, txn.NoKeyspace("there is no such keyspace")
		}
		return &cairnv1.GetKeyspaceResponse{
			Keyspace: k, Keys: 3, Bytes: 70, Versions: 5, OldestTs: 9}, true, nil
	}
	return nil, false, nil
}

func update(k *cairnv1.Keyspace, r *cairnv1.UpdateKeyspaceRequest) {
	for _, f := range []struct{ to, from *int64 }{
		{&k.HistoryAgeMs, r.HistoryAgeMs}, {&k.HistoryCount, r.HistoryCount},
		{&k.DefaultTtlMs, r.DefaultTtlMs}, {&k.ValueBytesMax, r.ValueBytesMax},
		{&k.BytesMax, r.BytesMax},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	withDefaults(k)
}

// newKeyspaceRequest is newRequest for the methods about keyspaces.
func newKeyspaceRequest(m cairnv1.Method) proto.Message {
	switch m {
	case cairnv1.Method_METHOD_KEYSPACE_CREATE:
		return &cairnv1.CreateKeyspaceRequest{}
	case cairnv1.Method_METHOD_KEYSPACE_UPDATE:
		return &cairnv1.UpdateKeyspaceRequest{}
	case cairnv1.Method_METHOD_KEYSPACE_DELETE:
		return &cairnv1.DeleteKeyspaceRequest{}
	case cairnv1.Method_METHOD_KEYSPACE_LIST:
		return &cairnv1.ListKeyspacesRequest{}
	case cairnv1.Method_METHOD_KEYSPACE_GET:
		return &cairnv1.GetKeyspaceRequest{}
	}
	return nil
}

// keyspaceService implements cairnv1connect.KeyspaceServiceHandler.
type keyspaceService struct{ s *Server }

func (t keyspaceService) CreateKeyspace(
	ctx context.Context, r *connect.Request[cairnv1.CreateKeyspaceRequest],
) (*connect.Response[cairnv1.CreateKeyspaceResponse], error) {
	return unary[cairnv1.CreateKeyspaceResponse](
		ctx, t.s, cairnv1.Method_METHOD_KEYSPACE_CREATE, r.Msg)
}

func (t keyspaceService) UpdateKeyspace(
	ctx context.Context, r *connect.Request[cairnv1.UpdateKeyspaceRequest],
) (*connect.Response[cairnv1.UpdateKeyspaceResponse], error) {
	return unary[cairnv1.UpdateKeyspaceResponse](
		ctx, t.s, cairnv1.Method_METHOD_KEYSPACE_UPDATE, r.Msg)
}

func (t keyspaceService) DeleteKeyspace(
	ctx context.Context, r *connect.Request[cairnv1.DeleteKeyspaceRequest],
) (*connect.Response[cairnv1.DeleteKeyspaceResponse], error) {
	return unary[cairnv1.DeleteKeyspaceResponse](
		ctx, t.s, cairnv1.Method_METHOD_KEYSPACE_DELETE, r.Msg)
}

func (t keyspaceService) ListKeyspaces(
	ctx context.Context, r *connect.Request[cairnv1.ListKeyspacesRequest],
) (*connect.Response[cairnv1.ListKeyspacesResponse], error) {
	return unary[cairnv1.ListKeyspacesResponse](
		ctx, t.s, cairnv1.Method_METHOD_KEYSPACE_LIST, r.Msg)
}

func (t keyspaceService) GetKeyspace(
	ctx context.Context, r *connect.Request[cairnv1.GetKeyspaceRequest],
) (*connect.Response[cairnv1.GetKeyspaceResponse], error) {
	return unary[cairnv1.GetKeyspaceResponse](
		ctx, t.s, cairnv1.Method_METHOD_KEYSPACE_GET, r.Msg)
}
