package gateway

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// reasonEphemeral is what is asked of ephemeral keys and not there.
const reasonEphemeral = "ephemeral_unsupported"

// durable is a request that says which of the two namespaces it is for.
type durable interface {
	proto.Message
	GetDurability() cairnv1.Durability
}

// ephemeral reports whether req, of any kind, is for another namespace than the persistent one.
func ephemeral(req any) (durable, bool) {
	d, ok := req.(durable)
	if !ok {
		return nil, false
	}
	switch d.GetDurability() {
	case cairnv1.Durability_DURABILITY_UNSPECIFIED, cairnv1.Durability_DURABILITY_PERSISTENT:
		return nil, false
	}
	return d, true
}

// persistentOnly are the fields of requests that mean nothing to ephemeral keys, and why.
var persistentOnly = []struct {
	field protoreflect.Name
	why   string
}{
	{"txn", "they are in no transaction"},
	{"begin", "they are in no transaction"},
	{"revision", "they have no history"},
	{"as_of", "they have no history"},
	{"for_update", "they are in no transaction"},
	{"request_id", "nobody remembers what was done to them"},
	{"message", "they have no history"},
}

// checkEphemeral refuses what ephemeral keys do not know.
func checkEphemeral(req durable) error {
	if d := req.GetDurability(); d != cairnv1.Durability_DURABILITY_EPHEMERAL {
		return invalid("durability_unknown", "durability %d is unknown to this release", d)
	}
	m := req.ProtoReflect()
	for _, p := range persistentOnly {
		if f := m.Descriptor().Fields().ByName(p.field); f != nil && m.Has(f) {
			return invalid(reasonEphemeral, "%s does not fit ephemeral keys: %s", p.field, p.why)
		}
	}
	return nil
}

// noEphemeral refuses an operation of a one-shot transaction that names ephemeral keys.
func noEphemeral(req any) error {
	if _, ok := ephemeral(req); ok {
		return invalid(reasonEphemeral, "an operation of a one-shot transaction is for ephemeral "+
			"keys, and they are in no transaction")
	}
	return nil
}

// doEphemeral carries out one operation for req. It returns the time at which that was done.
func (g *Gateway) doEphemeral(
	ctx context.Context, req durable, op *txn.Op,
) (txn.Result, txn.Timestamp, error) {
	ops := []txn.Op{*op}
	if err := firstErr(checkEphemeral(req), g.applyOptions(ops)); err != nil {
		return txn.Result{}, 0, err
	}
	results, at, err := g.Coordinator.Ephemeral(ctx, ops, g.deadline(ctx))
	if err != nil {
		return txn.Result{}, 0, err
	}
	return results[0], at, nil
}

// readEphemeral answers the version of a key and when it was so.
func (g *Gateway) readEphemeral(
	ctx context.Context, req durable, p *pointRead,
) (pointFound, error) {
	op := txn.Op{Kind: txn.OpGet, Key: p.key, KeysOnly: p.keysOnly}
	res, at, err := g.doEphemeral(ctx, req, &op)
	found := pointFound{at: at}
	if err == nil && res.OK {
		found.version = &res.Entry.Version
	}
	return found, err
}

// batchGetEphemeral reads each key by itself.
func (g *Gateway) batchGetEphemeral(
	ctx context.Context, req *cairnv1.BatchGetRequest,
) (*cairnv1.BatchGetResponse, error) {
	if err := checkEphemeral(req); err != nil {
		return nil, err
	}
	keys, err := g.batchKeys(ctx, req)
	if err != nil {
		return nil, err
	}
	ops := make([]txn.Op, len(keys))
	for i, key := range keys {
		ops[i] = txn.Op{Kind: txn.OpGet, Key: key}
	}
	results, at, err := g.Coordinator.Ephemeral(ctx, ops, g.deadline(ctx))
	if err != nil {
		return nil, err
	}
	b := batch{g: g, keys: keys, at: at}
	for i := range results {
		if err := b.add(results[i].Entry.Version, results[i].OK); err != nil {
			return nil, err
		}
	}
	return b.response(req)
}

// writeEphemeral writes each key by itself, those of one shard in the order of the request. All of
// it is held to the limit of a transaction.
func (g *Gateway) writeEphemeral(
	ctx context.Context, req durable, requireAll bool, ops []txn.Op,
) (done batchWritten, err error) {
	if err := firstErr(checkEphemeral(req), g.applyOptions(ops)); err != nil {
		return done, err
	}
	if requireAll {
		return done, invalid(reasonEphemeral, "require_all does not fit writes of ephemeral keys: "+
			"each is written by itself")
	}
	size := 0
	for i := range ops {
		size += len(ops[i].Key) + len(ops[i].Value.Data)
	}
	if size > txn.WriteBytesMax {
		return done, txn.Errorf(txn.Exhausted, txn.ReasonTooLarge,
			"the keys and values have %d bytes, the limit is %d", size, txn.WriteBytesMax)
	}
	done.results, done.at, err = g.Coordinator.Ephemeral(ctx, ops, g.deadline(ctx))
	return done, err
}
