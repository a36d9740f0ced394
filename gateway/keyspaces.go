package gateway

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (g *Gateway) createKeyspace(
	ctx context.Context, req *cairnv1.CreateKeyspaceRequest,
) (*cairnv1.CreateKeyspaceResponse, error) {
	in := req.GetKeyspace()
	change := txn.KeyspaceChange{Verb: txn.CreateKeyspace, Name: in.GetName(),
		Options: txn.KeyspaceOptions{
			HistoryAge: in.GetHistoryAgeMs(), HistoryCount: in.GetHistoryCount(),
			DefaultTTL: in.GetDefaultTtlMs(), ValueBytesMax: in.GetValueBytesMax(),
			BytesMax: in.GetBytesMax(),
		}.WithDefaults()}
	if err := firstErr(txn.CheckKeyspaceName(change.Name), change.Options.Check()); err != nil {
		return nil, err
	}
	var err error
	if change.At, err = g.Coordinator.Timestamp(ctx, g.deadline(ctx)); err != nil {
		return nil, err
	}
	got, err := g.changeKeyspace(ctx, change)
	if err != nil {
		return nil, err
	}
	return &cairnv1.CreateKeyspaceResponse{
		Keyspace: wireKeyspace(got.keyspace), Created: got.changed}, nil
}

// changedKeyspace is what a change came to.
type changedKeyspace struct {
	keyspace *txn.Keyspace // nil: there is none
	changed  bool
}

// changeKeyspace changes the table, and reads it again: whoever was answered may go on here.
func (g *Gateway) changeKeyspace(
	ctx context.Context, change txn.KeyspaceChange,
) (changedKeyspace, error) {
	got, err := g.Coordinator.ChangeKeyspace(ctx, change, g.deadline(ctx))
	if err == nil {
		_, err = g.refreshKeyspaces(ctx, g.deadline(ctx))
	}
	if err != nil {
		return changedKeyspace{}, err
	}
	return changedKeyspace{got.Keyspace, got.Changed}, nil
}

func (g *Gateway) updateKeyspace(
	ctx context.Context, req *cairnv1.UpdateKeyspaceRequest,
) (*cairnv1.UpdateKeyspaceResponse, error) {
	ks, err := g.keyspace(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	change := txn.KeyspaceChange{Verb: txn.UpdateKeyspace, Name: ks.Name}
	for _, f := range []struct {
		given *int64
		bit   txn.KeyspaceSet
		to    *int64
	}{
		{req.HistoryAgeMs, txn.SetHistoryAge, &change.Options.HistoryAge},
		{req.HistoryCount, txn.SetHistoryCount, &change.Options.HistoryCount},
		{req.DefaultTtlMs, txn.SetDefaultTTL, &change.Options.DefaultTTL},
		{req.ValueBytesMax, txn.SetValueBytesMax, &change.Options.ValueBytesMax},
		{req.BytesMax, txn.SetBytesMax, &change.Options.BytesMax},
	} {
		if f.given != nil {
			*f.to = *f.given
			change.Set |= f.bit
		}
	}
	change.Options = change.Options.WithDefaults() // a 0 that is given is the default
	if err := change.Options.Check(); err != nil {
		return nil, err
	}
	got, err := g.changeKeyspace(ctx, change)
	if err != nil {
		return nil, err
	}
	return &cairnv1.UpdateKeyspaceResponse{Keyspace: wireKeyspace(got.keyspace)}, nil
}

// deleteKeyspace answers when nothing is left of the keyspace. If it cannot, some gateway goes on
// with it, and the call may be made again.
func (g *Gateway) deleteKeyspace(
	ctx context.Context, req *cairnv1.DeleteKeyspaceRequest,
) (*cairnv1.DeleteKeyspaceResponse, error) {
	if err := txn.CheckKeyspaceName(req.GetName()); err != nil {
		return nil, err
	}
	t, err := g.refreshKeyspaces(ctx, g.deadline(ctx))
	if err != nil {
		return nil, err
	}
	ks := t.byName[req.GetName()]
	if ks == nil {
		return &cairnv1.DeleteKeyspaceResponse{}, nil
	}
	got, err := g.changeKeyspace(ctx,
		txn.KeyspaceChange{Verb: txn.DeleteKeyspace, Name: ks.Name, ID: ks.ID})
	switch {
	case err != nil:
		return nil, err
	case got.keyspace == nil:
		return &cairnv1.DeleteKeyspaceResponse{}, nil
	}
	if err := g.finishDeletion(ctx, got.keyspace.ID, g.deadline(ctx)); err != nil {
		return nil, err
	}
	return &cairnv1.DeleteKeyspaceResponse{Deleted: true}, nil
}

func (g *Gateway) listKeyspaces(
	ctx context.Context, _ *cairnv1.ListKeyspacesRequest,
) (*cairnv1.ListKeyspacesResponse, error) {
	t, err := g.refreshKeyspaces(ctx, g.deadline(ctx))
	if err != nil {
		return nil, err
	}
	resp := &cairnv1.ListKeyspacesResponse{}
	for i := range t.list {
		resp.Keyspaces = append(resp.Keyspaces, wireKeyspace(&t.list[i]))
	}
	return resp, nil
}

func (g *Gateway) getKeyspace(
	ctx context.Context, req *cairnv1.GetKeyspaceRequest,
) (*cairnv1.GetKeyspaceResponse, error) {
	name := req.GetName()
	if name == "" {
		name = defaultKeyspace
	}
	t, err := g.refreshKeyspaces(ctx, g.deadline(ctx))
	if err != nil {
		return nil, err
	}
	ks := t.byName[name]
	if ks == nil {
		return nil, noKeyspace(name)
	}
	usage, err := g.Coordinator.Usage(ctx, g.deadline(ctx))
	if err != nil {
		return nil, err
	}
	holds := usage[ks.ID]
	return &cairnv1.GetKeyspaceResponse{
		Keyspace: wireKeyspace(ks), Keys: holds.Keys, Bytes: holds.Bytes, Versions: holds.Versions,
		// History is not collected yet: all of it can be read, from the keyspace's beginning on.
		OldestTs: max(int64(ks.CreatedAt), 1),
	}, nil
}

func wireKeyspace(ks *txn.Keyspace) *cairnv1.Keyspace {
	return &cairnv1.Keyspace{
		Name: ks.Name, HistoryAgeMs: ks.HistoryAge, HistoryCount: ks.HistoryCount,
		DefaultTtlMs: ks.DefaultTTL, ValueBytesMax: ks.ValueBytesMax, BytesMax: ks.BytesMax,
		Deleting: ks.Deleting, Full: ks.FullBytes != 0,
	}
}
