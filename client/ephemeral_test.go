package client

import (
	"context"
	"errors"
	"testing"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// lostCalls loses the answer to every call.
type lostCalls int

func (n *lostCalls) call(context.Context, *call) error {
	*n++
	return &lostError{err: errors.New("cut"), sent: true}
}

// Nobody remembers what was asked of ephemeral keys: the SDK draws no request_id for them, and does
// not send again what may have been done.
func TestEphemeralWritesHaveNoRequestID(t *testing.T) {
	for durability, named := range map[cairnv1.Durability]bool{
		cairnv1.Durability_DURABILITY_UNSPECIFIED: true, cairnv1.Durability_DURABILITY_PERSISTENT: true,
		cairnv1.Durability_DURABILITY_EPHEMERAL: false,
	} {
		var sent lostCalls
		r := &repeater{next: &sent, attemptsMax: 3, patience: time.Millisecond}
		req := &cairnv1.SetRequest{Key: []byte("k"), Durability: durability}
		c := &call{
			method: cairnv1.Method_METHOD_KV_SET, effect: commits, req: req, res: &cairnv1.SetResponse{},
			handle: &req.Txn, request: &req.RequestId, anchor: anchor{req.Keyspace, req.Key},
		}
		err := r.call(t.Context(), c)
		e, _ := errors.AsType[*txn.Error](err)
		if e == nil || e.Kind != txn.Unknown || (e.Token != "") != named || (len(req.RequestId) > 0) != named {
			t.Errorf("%v: request_id %x, %+v", durability, req.RequestId, err)
		}
		if !named && sent != 1 {
			t.Errorf("%v: sent %d times", durability, sent)
		}
	}
}
