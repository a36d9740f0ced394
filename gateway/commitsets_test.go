package gateway

import (
	"fmt"
	"testing"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// setsOf sets keys to their own names, in this order.
func setsOf(keys ...string) (sets []*cairnv1.SetRequest) {
	for _, key := range keys {
		sets = append(sets, &cairnv1.SetRequest{Key: []byte(key), Value: str(key)})
	}
	return sets
}

// A commit brings sets along. It is remembered at the first of them, unless there was an earlier write.
func TestCommitSets(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	for name, begin := range map[string]*cairnv1.BeginRequest{
		"optimistic": {}, "pessimistic": pessimistic, "snapshot": snapshotted,
	} {
		for _, earlier := range []bool{false, true} {
			h := f.begin(begin)
			f.getIn(h, "a")
			if earlier {
				if err := f.setIn(h, "b", "before"); err != nil {
					t.Fatal(err)
				}
			}
			req := &cairnv1.CommitRequest{Txn: f.latest(h), RequestId: []byte(fmt.Sprint(name, earlier))}
			req.Sets = append(setsOf("b", "a", "b"), &cairnv1.SetRequest{Key: []byte("b"), Value: str("last")})
			c, err := f.g.commit(ctx, req)
			if err != nil || len(c.Written) != 2 || string(c.Written[0].Key) != "a" {
				t.Fatalf("%s, earlier=%v: %v, %v", name, earlier, c, err)
			}
			if got := f.getIn("", "a") + f.getIn("", "b"); got != "alast" {
				t.Errorf("%s, earlier=%v: the keys are %q", name, earlier, got)
			}
			again, err := f.g.commit(ctx, req)
			if err != nil || again.CommitTs != c.CommitTs {
				t.Errorf("%s, earlier=%v: another copy: %v, %v", name, earlier, again, err)
			}
			f.unlocked()
		}
	}
}

// What is wrong with a set ends the transaction, and nothing of it is left.
func TestCommitSetsRefused(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	absent := &cairnv1.WriteConditions{IfAbsent: true}
	k := []byte("k")
	for name, set := range map[string]*cairnv1.SetRequest{
		"key_empty":     {Value: str("v")},
		"value_missing": {Key: k},
		"set_in_commit": {Key: k, Value: str("v"), Conditions: absent},
		"set_in_commit ": {
			Key: k, Value: str("v"), Durability: cairnv1.Durability_DURABILITY_EPHEMERAL,
		},
		"set_in_commit  ":                {Key: k, Value: str("v"), RequestId: k},
		txn.ReasonKeyspaceNotFound:       {Key: k, Value: str("v"), Keyspace: "none"},
		txn.ReasonKeyspaceNotFound + " ": {Keyspace: "none"},
	} {
		h := f.begin(pessimistic)
		f.getIn(h, "other")
		req := &cairnv1.CommitRequest{Txn: h, Sets: append(setsOf("a"), set)}
		_, err := f.g.commit(ctx, req)
		if e := classify(err, true); e.Kind == txn.Unknown || fmt.Sprintf("%.5s", e.Reason) != name[:5] {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.g.commit(ctx, req); reasonOf(err) != reasonTxnGone {
			t.Errorf("%s, afterwards: %v", name, err)
		}
		f.unlocked()
	}
	h := f.begin(&cairnv1.BeginRequest{})
	if _, err := f.g.commit(ctx, &cairnv1.CommitRequest{
		Txn: h, Sets: setsOf(make([]string, BatchKeysMax+1)...),
	}); reasonOf(err) != txn.ReasonTooLarge {
		t.Errorf("too many: %v", err)
	}
	h = f.begin(&cairnv1.BeginRequest{ReadOnly: true})
	if _, err := f.g.commit(ctx, &cairnv1.CommitRequest{Txn: h, Sets: setsOf("a")}); reasonOf(err) != "read_only" {
		t.Errorf("read-only: %v", err)
	}
	if got := f.getIn("", "a") + f.getIn("", "k"); got != "--" || f.g.held.count() != 0 {
		t.Errorf("something was left: %q", got)
	}
}

// Nobody whose copy of the commit is late takes what was committed for nothing, or the other way round.
func TestCommitSetsLost(t *testing.T) {
	first, second, d := pair(t)
	ctx := t.Context()
	for name, breaks := range map[string]func(){
		"answer_lost": func() { d.where[7] = mute(t) }, reasonGatewayLost: func() { d.end(7) },
	} {
		for _, done := range []bool{true, false} {
			key := fmt.Sprint(name, done)
			req := &cairnv1.CommitRequest{
				Txn: first.begin(&cairnv1.BeginRequest{}), RequestId: []byte("r"), Sets: setsOf(key),
			}
			if done {
				_, _ = first.g.commit(ctx, req) // this answer is lost
			}
			second.g.peers.forget(7)
			breaks()
			c, failed := call(ctx, second.g, methodCommit, req, (*Gateway).commit)
			if failed != nil && failed.Kind == txn.Unknown {
				c, failed = asked(second, failed)
			}
			if done != (failed == nil) || done != (c.GetCommitTs() != 0) {
				t.Errorf("%s: %v, %v", key, c, failed)
			}
			d.mu.Lock()
			d.where[7] = first.address
			d.mu.Unlock()
			if !done { // it comes now
				if _, err := first.g.commit(ctx, req); classify(err, true).Kind != txn.Conflict {
					t.Errorf("%s: what was called aborted is committed: %v", key, err)
				}
			}
			if got := second.getIn("", key); (got != "-") != done {
				t.Errorf("%s: the key is %q", key, got)
			}
		}
	}
}

// asked is what came of a commit by the token of an error.
func asked(f *fixture, unknown *txn.Error) (*cairnv1.CommitResponse, *txn.Error) {
	f.Helper()
	out, err := f.g.outcome(f.Context(), &cairnv1.OutcomeRequest{Token: unknown.Token})
	if err != nil {
		f.Fatalf("%v: %v", unknown, err)
	}
	if out.Outcome == cairnv1.CommitOutcome_COMMIT_OUTCOME_ABORTED {
		return nil, unknown
	}
	return &cairnv1.CommitResponse{CommitTs: out.CommitTs}, nil
}

// Whoever lost the answer to an earlier write commits nothing by an old handle, sets or not.
func TestCommitSetsByAStaleHandle(t *testing.T) {
	f := start(t)
	h := f.begin(&cairnv1.BeginRequest{})
	if err := f.setIn(h, "k", "v"); err != nil {
		t.Fatal(err)
	}
	_, err := f.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: h, Sets: setsOf("a")})
	if reasonOf(err) != reasonStaleHandle || f.getIn("", "k")+f.getIn("", "a") != "--" {
		t.Errorf("got %v", err)
	}
}

// The token of a commit that nobody knows the end of has the first key that it wrote.
func TestCommitSetsUnknown(t *testing.T) {
	for _, sets := range [][]*cairnv1.SetRequest{nil, setsOf("k")} {
		h := token.Handle{Txn: txn.NewID(9, 1), Random: [2]uint64{1, 2}, Began: 5}
		tok := commitToken(&cairnv1.CommitRequest{Txn: h.String(), Sets: sets})
		if known := len(sets) > 0; (tok.Anchor != nil) != known ||
			known && (tok.Keyspace != "default" || string(tok.Anchor) != "k" || tok.Since != 5) {
			t.Errorf("%v: %+v", sets, tok)
		}
	}
}
