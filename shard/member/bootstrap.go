package member

import (
	"encoding/binary"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// descriptor is a shard's row in the state engine: msgpack, field names kept.
type descriptor struct {
	Shard uint64 `codec:"shard"`
	Epoch uint64 `codec:"epoch"`
	Start []byte `codec:"start"`
	End   []byte `codec:"end"` // empty: to the end of all keys
}

func msgpack() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.Canonical = true
	h.MaxInitLen = 1 << 16
	return h
}

// firstRoutes cuts the keys into shards 2 and up. Keyspace default begins the
// first; the last also holds every keyspace after it. The meta group, shard 1,
// holds no user's keys.
func firstRoutes(splits [][]byte) []shardrpc.Route {
	var routes []shardrpc.Route
	start := txn.NewKey(txn.SystemKeyspace, nil)
	for _, s := range splits {
		end := txn.NewKey(txn.DefaultKeyspace, s)
		routes = append(routes, dataRoute(len(routes), start, end))
		start = end
	}
	return append(routes, dataRoute(len(routes), start, nil))
}

func dataRoute(i int, start, end txn.Key) shardrpc.Route {
	return shardrpc.Route{Shard: shardrpc.MetaShard + 1 + shardrpc.ShardID(i), Epoch: 1,
		Span: txn.Span{Start: start, End: end}}
}

// bootstrap makes both engines those of this member.
func bootstrap(m *Member) error {
	ident := binary.BigEndian.AppendUint64(nil, m.dir.id.Member)
	b := m.log.NewBatch()
	defer b.Close()
	b.Set(shard.LogIdentKey(), ident)
	if err := b.Commit(true); err != nil {
		return err
	}
	return bootstrapState(m.state, ident, m.first())
}

// first is the first state of a member.
type first struct {
	routes  []shardrpc.Route
	voters  []uint64 // none: its replicas get snapshots
	members []meta.Member
}

func (m *Member) first() first {
	id := &m.dir.id
	f := first{routes: firstRoutes(m.o.Splits), voters: []uint64{id.Member}}
	switch {
	case id.Founded != nil:
		f = first{routes: firstRoutes(id.Founded.Splits)}
		for i, address := range id.Founded.Founders {
			f.voters = append(f.voters, uint64(i)+1)
			f.members = append(f.members,
				meta.Member{ID: uint64(i) + 1, Address: address, Nonce: id.Founded.Nonces[i]})
		}
	case id.Joined != nil:
		f = first{routes: id.Joined.Routes}
		for _, o := range id.Joined.Members { // until the snapshot comes
			f.members = append(f.members, meta.Member{ID: o.ID, Address: o.Address})
		}
	}
	return f
}

// bootstrapState writes the first state of every shard in one durable batch.
func bootstrapState(state mvcc.Engine, ident []byte, f first) error {
	b := state.NewBatch()
	defer b.Close()
	group := shardrpc.Route{Shard: shardrpc.MetaShard, Epoch: 1}
	for _, r := range append(f.routes, group) {
		if err := shard.Bootstrap(b, r, f.voters); err != nil {
			return err
		}
		if r.Shard == shardrpc.MetaShard {
			continue
		}
		var enc []byte
		d := descriptor{Shard: uint64(r.Shard), Epoch: r.Epoch,
			Start: r.Span.Start, End: r.Span.End}
		if err := codec.NewEncoderBytes(&enc, msgpack()).Encode(&d); err != nil {
			return err
		}
		b.Set(mvcc.ShardDescriptorKey(d.Shard), enc)
	}
	if len(f.members) > 0 {
		if err := meta.PutMembers(b, f.members); err != nil {
			return err
		}
	}
	b.Set(mvcc.LocalKey("ident"), ident)
	return b.Commit(true)
}

// readRoutes reads every descriptor, in the order of shards, which is that of
// their spans until one splits.
func readRoutes(state mvcc.Engine) ([]shardrpc.Route, error) {
	var routes []shardrpc.Route
	for id := shardrpc.MetaShard + 1; ; id++ {
		enc, ok, err := state.Get(mvcc.ShardDescriptorKey(uint64(id)))
		if err != nil || !ok {
			return routes, err
		}
		var d descriptor
		if err := codec.NewDecoderBytes(enc, msgpack()).Decode(&d); err != nil {
			return nil, txn.Errorf(txn.Internal, mvcc.ReasonCorruption,
				"the descriptor of shard %d does not decode: %w", id, err)
		}
		routes = append(routes, shardrpc.Route{Shard: id, Epoch: d.Epoch,
			Span: txn.Span{Start: d.Start, End: d.End}})
	}
}
