package client_test

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func TestTransferLeader(t *testing.T) {
	for name, options := range map[string]client.Options{"stream": {}, "unary": {Unary: true}} {
		t.Run(name, func(t *testing.T) {
			s, db := serve(t, clienttest.Options{Members: 3}, options)
			ctx := within(t)
			s.Down(2, "connection refused")
			if leader := must(db.TransferLeader(ctx, 2, 0))(t); leader != 3 {
				t.Errorf("the leader is %d", leader)
			}
			st := must(db.Status(ctx))(t)
			sh, m := st.Shards[1], st.Members
			if sh.LeaderID != 3 || sh.Term != 2 || len(sh.Voters) != 3 || len(sh.Replicas) != 3 ||
				sh.Replicas[0].Lag != 3 || sh.Replicas[1].Lag != client.LagUnknown || !sh.Replicas[2].Leader {
				t.Errorf("shard %+v", sh)
			}
			if len(m) != 3 || m[2].Leaderships != 1 || m[2].DiskTotal == 0 || len(m[2].Replicas) != 2 ||
				m[1].Down != "connection refused" || len(m[1].Replicas) != 0 {
				t.Errorf("members %+v", m)
			}
			if _, err := db.TransferLeader(ctx, 9, 0); txn.KindOf(err) != txn.Invalid {
				t.Errorf("no such shard: %v", err)
			}
		})
	}
}

// A gateway that has waited for 5 s is not made to wait again, and one that does not say what it
// did may have done it.
func TestTransferLeaderIsNotRepeated(t *testing.T) {
	var calls int
	var answer error
	hook := func(context.Context, cairnv1.Method, proto.Message) error {
		calls++
		return answer
	}
	_, db := serve(t, clienttest.Options{Members: 3, Hook: hook}, client.Options{})
	for _, c := range []struct {
		answer error
		kind   txn.ErrorKind
		calls  int
	}{
		{txn.Errorf(txn.Unavailable, "leader_not_moved", "no other member"), txn.Unavailable, 1},
		{txn.Errorf(txn.Unavailable, "no_leader", "an election"), txn.Unavailable, 8},
		{clienttest.Lose(), txn.Unknown, 1},
	} {
		calls, answer = 0, c.answer
		_, err := db.TransferLeader(within(t), 1, 2)
		if txn.KindOf(err) != c.kind || calls != c.calls {
			t.Errorf("%v: %d calls, %v", c.answer, calls, err)
		}
	}
}
