package shard

import (
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// rejectsMeta is rejects for what only the meta group can answer.
func (r *Replica) rejectsMeta(t shardrpc.Target) (shardrpc.Answer, bool) {
	a, rejected := r.rejects(t, nil, nil)
	if !rejected && r.o.Meta == nil {
		return shardrpc.Moved, true
	}
	return a, rejected
}

// keyspaces tells the table of keyspaces. That it has not changed, too, only a
// leader who is one may say.
func (r *Replica) keyspaces(id uint64, m *shardrpc.KeyspacesRequest) {
	if a, rejected := r.rejectsMeta(m.Target); rejected {
		r.reply(id, &shardrpc.KeyspacesResponse{Answer: a})
		return
	}
	resp := &shardrpc.KeyspacesResponse{Answer: shardrpc.OK, Changes: r.o.Meta.KeyspaceChanges()}
	if resp.Same = m.Known != 0 && m.Known == resp.Changes; !resp.Same {
		resp.Keyspaces, resp.Changes = r.o.Meta.Keyspaces()
	}
	r.assert(id, resp, &shardrpc.KeyspacesResponse{Answer: shardrpc.Retry})
}

// changeKeyspace changes the table of keyspaces, in the log: what comes of it is
// found where it is applied.
func (r *Replica) changeKeyspace(id uint64, m *shardrpc.ChangeKeyspaceRequest) {
	a, rejected := r.rejectsMeta(m.Target)
	if rejected {
		r.reply(id, &shardrpc.ChangeKeyspaceResponse{Answer: a})
		return
	}
	body, err := meta.KeyspaceCommand(&m.Change)
	if err != nil {
		r.fail(err)
		return
	}
	r.await(&command{kind: cmdMeta, body: body}, func(a applied) {
		resp := &shardrpc.ChangeKeyspaceResponse{Answer: shardrpc.Retry}
		if a.ok {
			resp = &shardrpc.ChangeKeyspaceResponse{Answer: shardrpc.OK, Changed: a.change.Changed,
				Keyspace: a.change.Keyspace, Err: a.change.Err}
		}
		r.reply(id, resp)
	})
}

// overLimits is why ops may not be done: a value is larger than its keyspace
// takes, or a keyspace is full and would grow.
func (r *Replica) overLimits(ops []op) *txn.Error {
	if r.o.Keyspace == nil {
		return nil
	}
	var ks *txn.Keyspace
	for i := range ops {
		o := &ops[i]
		if id := o.key.Keyspace(); ks == nil || ks.ID != id {
			if ks = r.o.Keyspace(id); ks == nil {
				continue // made a moment ago
			}
		}
		var e *txn.Error
		if o.grows {
			e = ks.FullError()
		}
		if e == nil {
			e = ks.TooLarge(o.payload)
		}
		if e != nil {
			e.Key = o.key
			return e
		}
	}
	return nil
}
