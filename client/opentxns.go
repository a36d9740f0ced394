package client

import (
	"context"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// TxnState is what an open transaction is doing.
type TxnState uint8

// The states.
const (
	TxnUnknown TxnState = iota // of a newer server
	TxnIdle                    // it waits for its client's next call
	TxnRunning                 // a call is under way
	TxnWaiting                 // a call waits for a lock
	TxnEnding                  // Commit or Rollback is under way
	txnStateEnd
)

var txnStateNames = [...]string{"unknown", "idle", "running", "waiting", "ending"}

func (s TxnState) String() string {
	if s < txnStateEnd {
		return txnStateNames[s]
	}
	return txnStateNames[TxnUnknown]
}

// OpenTxn is a transaction that some client has open at the gateway.
type OpenTxn struct {
	ID string // session of the gateway, and number
	// Age is when its first attempt began, moved by its priority: the older one gets the lock.
	Age         Timestamp
	Pessimistic bool
	Isolation   Isolation
	ReadOnly    bool
	Open        time.Duration // since it began
	Idle        time.Duration // since its last call ended; 0 while one is under way
	KeysRead    int64         // entries that ranges have shown among them
	KeysWritten int64
	State       TxnState
}

// OpenTxns lists what is open at the gateway, the one that is open longest first.
func (db *DB) OpenTxns(ctx context.Context) ([]OpenTxn, error) {
	c := &call{
		method: cairnv1.Method_METHOD_STATUS_TXNS,
		req:    &cairnv1.TxnsRequest{}, res: &cairnv1.TxnsResponse{},
	}
	if err := db.do(ctx, c); err != nil {
		return nil, err
	}
	var all []OpenTxn
	for _, w := range c.res.(*cairnv1.TxnsResponse).Txns {
		t := OpenTxn{
			ID: w.Id, Age: Timestamp(w.Age), ReadOnly: w.ReadOnly,
			Pessimistic: w.Mode == cairnv1.TxnMode_TXN_MODE_PESSIMISTIC,
			Open:        time.Duration(w.OpenMs) * time.Millisecond,
			Idle:        time.Duration(w.IdleMs) * time.Millisecond,
			KeysRead:    w.KeysRead, KeysWritten: w.KeysWritten,
		}
		if w.Isolation == cairnv1.Isolation_ISOLATION_SNAPSHOT {
			t.Isolation = Snapshot
		}
		if w.State > 0 && int(w.State) < int(txnStateEnd) {
			t.State = TxnState(w.State)
		}
		all = append(all, t)
	}
	return all, nil
}
