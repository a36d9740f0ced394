package workload_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client/clienttest"
	"github.com/cairnkv/cairn/jepsen/history"
	"github.com/cairnkv/cairn/jepsen/workload"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

const (
	troubled  = 12 // in a hundred calls that change something
	truthOps  = 400
	truthCall = 150 * time.Millisecond
)

// fate is what becomes of all copies of a call.
type fate uint8

const (
	served fate = iota
	refused
	lostBefore // it is not done, and nobody says so
	lostAfter  // it is done, and nobody says so
	fates
)

// fateOf is drawn from what the call says, so that copies share it.
func fateOf(m cairnv1.Method, req proto.Message) fate {
	switch m {
	case cairnv1.Method_METHOD_TXN_EXECUTE, cairnv1.Method_METHOD_TXN_COMMIT,
		cairnv1.Method_METHOD_KV_SET, cairnv1.Method_METHOD_KV_UPDATE, cairnv1.Method_METHOD_KV_BATCH_SET,
		cairnv1.Method_METHOD_KV_DELETE, cairnv1.Method_METHOD_KV_DELETE_RANGE:
	case cairnv1.Method_METHOD_TXN_OUTCOME:
		return lostBefore
	default:
		return served
	}
	if r, ok := req.(interface{ GetTxn() string }); ok && r.GetTxn() != "" && m != cairnv1.Method_METHOD_TXN_COMMIT {
		return served // in a transaction
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		panic(err)
	}
	h := fnv.New64a()
	_, _ = h.Write(b)
	n := h.Sum64()
	if n/uint64(fates)%100 >= troubled {
		return served
	}
	return fate(n % uint64(fates))
}

// liar is a gateway in memory that refuses some calls and loses the answers to others.
func liar(t *testing.T) (endpoint string) {
	t.Helper()
	s, err := clienttest.NewServer(clienttest.Options{
		Hook: func(_ context.Context, m cairnv1.Method, req proto.Message) error {
			switch fateOf(m, req) {
			case refused:
				return txn.Errorf(txn.Unavailable, "no_leader", "refused by the test")
			case lostBefore:
				return clienttest.Lose()
			default:
				return nil
			}
		},
		After: func(_ context.Context, m cairnv1.Method, req proto.Message) error {
			if fateOf(m, req) == lostAfter {
				return clienttest.Lose()
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.URL
}

// TestTruth loses answers and refuses calls: what is recorded as fail did nothing, what is recorded as
// ok was done, and of what is recorded as info some was and some was not.
func TestTruth(t *testing.T) {
	did, didNot, failed := 0, 0, 0
	for _, w := range workload.All() {
		t.Run(w.Name, func(t *testing.T) {
			var out bytes.Buffer
			r := history.NewRecorder(&out)
			l, err := workload.Start(t.Context(), w, workload.Options{Endpoints: []string{liar(t)},
				Recorder: r, Seed: 1, CallMax: truthCall, Think: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			awaitEvents(t, r, func(e *history.Event) bool { return e.Type == history.Invoke }, truthOps)
			if err := l.Final(within(t)); err != nil {
				t.Error(err)
			}
			ops := pair(t, &out)
			for _, odd := range told(ops) {
				t.Error(odd)
			}
			seen := elements(ops)
			for i := range ops {
				o := &ops[i]
				for _, m := range o.Mops {
					if m.Kind != history.Append && m.Kind != history.Insert && m.Kind != history.Write {
						continue
					}
					there := seen[fmt.Sprint(m.Key, "=", m.N)]
					switch {
					case o.Type == history.Fail && there && unique(w, &m):
						t.Errorf("it failed and was done: %v", o)
					case o.Type == history.OK && !there && lasting(w):
						t.Errorf("it was done and is lost: %v", o)
					case o.Type == history.Info && there:
						did++
					case o.Type == history.Info:
						didNot++
					case o.Type == history.Fail:
						failed++
					}
				}
			}
		})
	}
	t.Logf("of unknown outcome: %d done, %d not; %d failed", did, didNot, failed)
	if did == 0 || didNot == 0 || failed == 0 {
		t.Errorf("of unknown outcome: %d done, %d not; %d failed; none of these may be 0", did, didNot, failed)
	}
}

// TestDroppedConditions has a gateway that forgets what a write is to depend on, and says that all is
// done: wherever a workload makes conditions that need not hold, its clients are told what cannot be.
func TestDroppedConditions(t *testing.T) {
	for _, name := range []string{"list-append", "predicate", "bank", "register", "monotonic"} {
		t.Run(name, func(t *testing.T) {
			s, err := clienttest.NewServer(clienttest.Options{
				Hook: func(_ context.Context, _ cairnv1.Method, req proto.Message) error {
					forgetConditions(req)
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			r := history.NewRecorder(io.Discard)
			w, _ := workload.ByName(name)
			l, err := workload.Start(t.Context(), w, workload.Options{Endpoints: []string{s.URL},
				Recorder: r, Seed: 1, Think: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			awaitEvents(t, r, func(e *history.Event) bool {
				return strings.Contains(e.Odd, "its condition did not hold")
			}, 1)
			l.Stop()
		})
	}
}

// forgetConditions takes the conditions out of a call.
func forgetConditions(req proto.Message) {
	switch q := req.(type) {
	case *cairnv1.SetRequest:
		q.Conditions = nil
	case *cairnv1.ExecuteRequest:
		q.If = nil
	}
}

// told are the answers of a history that cannot be.
func told(ops []history.Op) (all []string) {
	for i := range ops {
		if o := &ops[i]; o.Odd != "" {
			all = append(all, fmt.Sprintf("%s: %v", o.Odd, o))
		}
	}
	return all
}

func pair(t *testing.T, out *bytes.Buffer) []history.Op {
	t.Helper()
	events, err := history.ReadEvents(out)
	if err != nil {
		t.Fatal(err)
	}
	events = slices.DeleteFunc(events, func(e history.Event) bool { return e.F == history.Init })
	ops, err := history.Pair(events)
	if err != nil {
		t.Fatal(err)
	}
	return ops
}

// unique tells what one operation alone writes from values that several may try to write.
func unique(w workload.Workload, m *history.Mop) bool {
	return m.Kind != history.Write || w.Name == "register"
}

// lasting: nothing is deleted or replaced.
func lasting(w workload.Workload) bool {
	return slices.Contains([]string{"list-append", "set", "causal-reverse"}, w.Name)
}

// elements are all that somebody read.
func elements(ops []history.Op) map[string]bool {
	seen := map[string]bool{}
	for i := range ops {
		for _, m := range ops[i].Mops {
			switch {
			case m.Kind == history.Read && m.Known && m.Listed:
				for _, n := range m.List {
					seen[fmt.Sprint(m.Key, "=", n)] = true
				}
			case m.Kind == history.Read && m.Known && !m.Missing:
				seen[fmt.Sprint(m.Key, "=", m.N)] = true
			case m.Kind == history.Scan:
				for key, n := range m.Rows {
					seen[fmt.Sprint(key, "=", n)] = true
				}
			}
		}
	}
	return seen
}

// TestSilentGateway: clients that a gateway leaves without an answer go on with another one.
func TestSilentGateway(t *testing.T) {
	s, err := clienttest.NewServer(clienttest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w, _ := workload.ByName("set")
	r := history.NewRecorder(io.Discard)
	l, err := workload.Start(t.Context(), w, workload.Options{Endpoints: []string{s.URL, silent(t)},
		Recorder: r, Seed: 1, Clients: 8, CallMax: truthCall, Think: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	awaitEvents(t, r, func(e *history.Event) bool { return e.Type == history.OK }, truthOps)
	l.Stop()
	l.Stop() // does nothing
	events, err := r.Events()
	if err != nil {
		t.Fatal(err)
	}
	oks, infos := map[string]int{}, 0
	for _, e := range events {
		_, client, _ := strings.Cut(e.Mode, "-")
		if e.Type == history.OK {
			oks[e.Gateway+" "+client]++
		} else if e.Type == history.Info {
			infos++
		}
	}
	t.Logf("%d of unknown outcome, committed: %v", infos, oks)
	if infos == 0 || len(oks) != 3 || oks["g1 "] == 0 || oks["g1 unary"] == 0 || oks[" roaming"] == 0 {
		t.Errorf("%d of unknown outcome, committed: %v", infos, oks)
	}
}

// silent is where connections are accepted, and nothing is ever answered.
func silent(t *testing.T) (endpoint string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open = append(open, c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for _, c := range open {
			_ = c.Close()
		}
	})
	return "http://" + l.Addr().String()
}
