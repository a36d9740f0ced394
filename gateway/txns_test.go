package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// listed is what Txns says, without times.
func (f *fixture) listed() string {
	f.Helper()
	status := cairnv1connect.NewStatusServiceClient(f.h2, f.url)
	resp, err := status.Txns(f.Context(), connect.NewRequest(&cairnv1.TxnsRequest{}))
	if err != nil {
		f.Fatal(err)
	}
	var all []string
	for _, t := range resp.Msg.Txns {
		all = append(all, fmt.Sprintf("%s mode=%d isolation=%d read-only=%v read=%d written=%d state=%d", t.Id,
			t.Mode, t.Isolation, t.ReadOnly, t.KeysRead, t.KeysWritten, t.State))
		if t.Age == 0 || t.OpenMs < 0 || t.IdleMs < 0 {
			f.Errorf("times of %v", t)
		}
	}
	return strings.Join(all, "; ")
}

// until waits for the list to be so.
func (f *fixture) until(want string) {
	f.Helper()
	for end := time.Now().Add(10 * time.Second); f.listed() != want; {
		if time.Now().After(end) {
			f.Fatalf("open are %q, want %q", f.listed(), want)
		}
		_ = f.env.Sleep(f.Context(), time.Millisecond)
	}
}

func TestTxns(t *testing.T) {
	f := start(t)
	f.set("a", "1")
	f.set("b", "2")
	if got := f.listed(); got != "" {
		t.Errorf("open at first: %q", got)
	}
	p := f.begin(pessimistic)
	f.begin(&cairnv1.BeginRequest{ReadOnly: true, Isolation: cairnv1.Isolation_ISOLATION_SNAPSHOT})
	f.getIn(p, "a")
	if _, err := f.g.rangePage(t.Context(), &cairnv1.RangeRequest{Txn: p}); err != nil {
		t.Fatal(err)
	}
	if err := f.setIn(p, "c", "3"); err != nil {
		t.Fatal(err)
	}
	idle := func(read, written int, state cairnv1.TxnState) string {
		return fmt.Sprintf("7.3 mode=2 isolation=1 read-only=false read=%d written=%d state=%d; "+
			"7.4 mode=1 isolation=2 read-only=true read=0 written=0 state=1", read, written, state)
	}
	if got, want := f.listed(), idle(3, 1, cairnv1.TxnState_TXN_STATE_IDLE); got != want {
		t.Errorf("open are %q, want %q", got, want)
	}
	// A call waits for a lock.
	granted := make(chan struct{})
	f.shards.lockGate = granted
	done := make(chan error, 1)
	go func() { done <- f.setIn(p, "d", "4") }()
	f.until(idle(3, 1, cairnv1.TxnState_TXN_STATE_WAITING))
	close(granted)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// It commits.
	gate := f.shards.hold("d")
	go func() { done <- f.commit(p) }()
	<-gate.entered
	f.until(idle(3, 2, cairnv1.TxnState_TXN_STATE_ENDING))
	close(gate.open)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	f.until("7.4 mode=1 isolation=2 read-only=true read=0 written=0 state=1")
}

func TestTxnMetrics(t *testing.T) {
	f := start(t)
	f.set("a", "1")
	h := f.begin(pessimistic)
	f.begin(&cairnv1.BeginRequest{})
	f.getIn(h, "a")
	f.set("b", "2")
	f.getIn(h, "b")
	if err := f.commit(h); err != nil {
		t.Fatal(err)
	}
	refusals := 2
	f.shards.refuse = func() string {
		if refusals--; refusals >= 0 {
			return shardrpc.ReasonStale
		}
		return ""
	}
	f.set("a", "3")
	f.shards.lock = func(*shardrpc.LockRequest) *shardrpc.LockResponse {
		return &shardrpc.LockResponse{Reply: shardrpc.Reply{Answer: shardrpc.Refused, Reason: shardrpc.ReasonWounded}}
	}
	w := f.begin(pessimistic)
	if err := f.setIn(w, "a", "4"); classify(err, true).Kind != txn.Wounded {
		t.Fatal(err)
	}
	body := f.do("GET", "/metrics", "").body
	for _, line := range []string{
		`cairn_txn_open 1`,
		`cairn_txn_retries_total{reason="stale_base"} 2`,
		`cairn_txn_stage_seconds_count{stage="one_phase"} 5`,
		`cairn_txn_stage_seconds_count{stage="validate"} 1`,
		`cairn_txn_stage_seconds_count{stage="prewrite"} 0`,
		`cairn_txn_stage_seconds_count{stage="decide"} 0`,
		`cairn_txn_stage_seconds_count{stage="resolve"} 0`,
		`cairn_txn_lock_wait_seconds_count{outcome="granted"} 2`,
		`cairn_txn_lock_wait_seconds_count{outcome="wounded"} 1`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("%s is not in the metrics:\n%s", line, grep(body, "cairn_txn"))
		}
	}
}

func grep(text, word string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) && !strings.Contains(line, "_bucket") {
			out.WriteString(line)
		}
	}
	return out.String()
}
