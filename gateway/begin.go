package gateway

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (g *Gateway) begin(
	ctx context.Context, req *cairnv1.BeginRequest,
) (*cairnv1.BeginResponse, error) {
	idle, err := idleTimeout(req.GetTimeoutMs())
	if err != nil {
		return nil, err
	}
	o, err := beginOptions(req)
	if err != nil {
		return nil, err
	}
	o.Deadline = g.deadline(ctx)
	t, err := g.Coordinator.Begin(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := checkAge(o.Age, t); err != nil {
		t.Rollback()
		return nil, err
	}
	handle, err := g.held.add(t, idle)
	if err != nil {
		t.Rollback()
		return nil, err
	}
	return &cairnv1.BeginResponse{
		Txn: handle, ReadTs: int64(t.ReadTS()), Age: encodeAge(t.Age()),
	}, nil
}

// opener is a request that may open the transaction that it is part of.
type opener interface {
	GetTxn() string
	GetBegin() *cairnv1.BeginRequest
}

// opening opens the transaction that r begins, and runs f, its first call, on it. If that fails, or
// nobody waits for its answer any more, nobody knows the handle: then the transaction goes at once.
func (g *Gateway) opening(
	ctx context.Context, r opener, f func(handle string) error,
) (*cairnv1.BeginResponse, error) {
	if r.GetTxn() != "" {
		return nil, invalid("begin_in_transaction", "begin and txn exclude each other")
	}
	begun, err := g.begin(ctx, r.GetBegin())
	if err != nil {
		return nil, err
	}
	if err = f(begun.Txn); err == nil {
		if err = ctx.Err(); err == nil {
			return begun, nil
		}
		err = errGaveUp(err)
	}
	_, _ = g.rollback(context.WithoutCancel(ctx), &cairnv1.RollbackRequest{Txn: begun.Txn})
	return nil, err
}

// beginOptions checks what kind of transaction is asked for.
func beginOptions(req *cairnv1.BeginRequest) (o coordinator.BeginOptions, err error) {
	switch req.GetIsolation() {
	case cairnv1.Isolation_ISOLATION_UNSPECIFIED, cairnv1.Isolation_ISOLATION_SERIALIZABLE:
	case cairnv1.Isolation_ISOLATION_SNAPSHOT:
		o.Isolation = coordinator.Snapshot
	default:
		return o, invalid("isolation_unknown", "isolation %v is unknown", req.GetIsolation())
	}
	switch req.GetMode() {
	case cairnv1.TxnMode_TXN_MODE_UNSPECIFIED, cairnv1.TxnMode_TXN_MODE_OPTIMISTIC:
	case cairnv1.TxnMode_TXN_MODE_PESSIMISTIC:
		o.Mode = coordinator.Pessimistic
	default:
		return o, invalid("mode_unknown", "mode %v is unknown", req.GetMode())
	}
	switch req.GetPriority() {
	case cairnv1.Priority_PRIORITY_UNSPECIFIED, cairnv1.Priority_PRIORITY_NORMAL:
	case cairnv1.Priority_PRIORITY_LOW:
		o.Priority = coordinator.PriorityLow
	case cairnv1.Priority_PRIORITY_HIGH:
		o.Priority = coordinator.PriorityHigh
	default:
		return o, invalid("priority_unknown", "priority %v is unknown", req.GetPriority())
	}
	if len(req.GetAge()) > 0 {
		if req.GetPriority() != cairnv1.Priority_PRIORITY_UNSPECIFIED {
			return o, invalid("age_and_priority", "age and priority exclude each other; "+
				"the age has the priority in it")
		}
		if o.Age, err = decodeAge(req.GetAge()); err != nil {
			return o, err
		}
	}
	o.At, err = pastTime(req.AsOf)
	o.ReadOnly = req.GetReadOnly() || o.At != 0
	return o, err
}

func idleTimeout(ms int64) (time.Duration, error) {
	if limit := IdleMax.Milliseconds(); ms < 0 || ms > limit {
		return 0, invalid("timeout_invalid", "timeout_ms is %d; it must be 0 (%d) to %d",
			ms, limit, limit)
	}
	if ms == 0 {
		return IdleMax, nil
	}
	return time.Duration(ms) * time.Millisecond, nil
}

const (
	ageVersion = 1
	ageBytes   = 17
)

// encodeAge is an age as clients carry it from one attempt to the next.
func encodeAge(a txn.Age) []byte {
	b := binary.BigEndian.AppendUint64([]byte{ageVersion}, uint64(a.At))
	return binary.BigEndian.AppendUint64(b, uint64(a.ID))
}

// checkAge holds an age that a client gave to the present: shards take no younger one. What only
// reads a past snapshot locks nothing, so that its age says nothing.
func checkAge(age *txn.Age, t *coordinator.Txn) error {
	if age == nil || t.ReadOnly() || age.At <= t.ReadTS().Add(txn.PrioritySkew) {
		return nil
	}
	return errAgeInvalid()
}

func decodeAge(b []byte) (*txn.Age, error) {
	if len(b) == ageBytes && b[0] == ageVersion {
		a := txn.Age{
			At: txn.Timestamp(binary.BigEndian.Uint64(b[1:])), ID: txn.ID(binary.BigEndian.Uint64(b[9:])),
		}
		if a.At > 0 && a.At <= txn.MaxTimestamp && a.ID.Session() != 0 {
			return &a, nil
		}
	}
	return nil, errAgeInvalid()
}

func errAgeInvalid() error {
	return invalid("age_invalid", "the age is not one that a gateway has answered")
}
