package member

import (
	"context"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Keyspaces implements coordinator.Shards.
func (m *Member) Keyspaces(
	ctx context.Context, req *shardrpc.KeyspacesRequest,
) (*shardrpc.KeyspacesResponse, error) {
	return call[shardrpc.KeyspacesResponse](ctx, m, req.Shard, req)
}

// ChangeKeyspace implements coordinator.Shards.
func (m *Member) ChangeKeyspace(
	ctx context.Context, req *shardrpc.ChangeKeyspaceRequest,
) (*shardrpc.ChangeKeyspaceResponse, error) {
	return call[shardrpc.ChangeKeyspaceResponse](ctx, m, req.Shard, req)
}

// Drop implements coordinator.Shards.
func (m *Member) Drop(
	ctx context.Context, req *shardrpc.DropRequest,
) (*shardrpc.DropResponse, error) {
	return call[shardrpc.DropResponse](ctx, m, req.Shard, req)
}

// Usage implements coordinator.Shards.
func (m *Member) Usage(
	ctx context.Context, req *shardrpc.UsageRequest,
) (*shardrpc.UsageResponse, error) {
	return call[shardrpc.UsageResponse](ctx, m, req.Shard, req)
}

// serveKeyspaces is serve for the methods about keyspaces.
func (m *Member) serveKeyspaces(
	ctx context.Context, method shardrpc.Method, b []byte,
) ([]byte, error) {
	switch method {
	case shardrpc.MethodKeyspaces:
		return answer(ctx, b, checkKeyspaces, leads(m, m.Keyspaces))
	case shardrpc.MethodChangeKeyspace:
		return answer(ctx, b, checkChangeKeyspace, leads(m, m.ChangeKeyspace))
	case shardrpc.MethodDrop:
		return answer(ctx, b, m.issued().checkDrop, leads(m, m.Drop))
	case shardrpc.MethodUsage:
		return answer(ctx, b, checkUsage, leads(m, m.Usage))
	}
	return nil, txn.Errorf(txn.Invalid, "method_unknown",
		"%v is unknown to this release", method)
}

func checkKeyspaces(m *shardrpc.KeyspacesRequest) error { return checkMeta(m.Target) }

func checkUsage(m *shardrpc.UsageRequest) error { return checkData(m.Target) }

func checkChangeKeyspace(m *shardrpc.ChangeKeyspaceRequest) error {
	c := &m.Change
	err := checkMeta(m.Target)
	switch {
	case err != nil:
		return err
	case c.At < 0, c.Bytes < 0:
		return invalid("a keyspace made at %d that holds %d bytes", c.At, c.Bytes)
	}
	switch c.Verb {
	case txn.CreateKeyspace:
		return firstOf(txn.CheckKeyspaceName(c.Name), c.Options.Check())
	case txn.UpdateKeyspace:
		o := c.Update(txn.KeyspaceOptions{}.WithDefaults())
		return firstOf(txn.CheckKeyspaceName(c.Name), o.Check())
	case txn.DeleteKeyspace:
		return txn.CheckKeyspaceName(c.Name)
	case txn.FinishKeyspace, txn.FillKeyspace:
		return nil
	}
	return invalid("no verb about a keyspace")
}

// dropFromBytesMax bounds the place where a DropLook goes on: a key of the engine.
const dropFromBytesMax = keyBytesMin + txn.KeyBytesMax + 64

func (newest issued) checkDrop(m *shardrpc.DropRequest) error {
	switch {
	case m.Keyspace <= txn.DefaultKeyspace:
		return invalid("keyspace %d is never deleted", m.Keyspace)
	case len(m.From) > dropFromBytesMax:
		return invalid("a place of %d bytes to go on at", len(m.From))
	case m.Step == shardrpc.DropErase:
		return firstOf(checkData(m.Target), newest.times(m.At))
	case m.At != 0:
		return invalid("a time, of a step that has none")
	}
	return checkData(m.Target)
}
