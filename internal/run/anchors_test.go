package run

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

// TestTokensNameTheAnchor: nobody hears of a call that has taken effect. The token that the client
// itself has made for it names the place where the server remembers it, so that whoever asks is
// told that it happened. A token of another place would be told that it never did.
func TestTokensNameTheAnchor(t *testing.T) {
	gateway := start(t, &Gateway{Data: filepath.Join(t.TempDir(), "data"), Splits: []string{"m"}})
	direct := dial(t, "http://"+gateway.address, false)
	pattern, bucket := client.All(), client.Bucket("a/b")
	pattern.Glob, bucket.Glob = "[an]*", `a/b/c\*?`
	one, none := client.IntValue(1), client.DeleteRangeOptions{}
	wire := newCutter(t, gateway.address)
	db := dial(t, "http://"+wire.l.Addr().String(), false)
	for name, call := range map[string]func(ctx context.Context, past client.Timestamp) error{
		"increment": func(ctx context.Context, _ client.Timestamp) error {
			_, err := db.Increment(ctx, "a", one, client.UpdateOptions{})
			return err
		},
		"batch set": func(ctx context.Context, _ client.Timestamp) error {
			items := []client.SetItem{{Key: "n", Value: one}, {Key: "a", Value: one}, {Key: "b", Value: one}}
			_, err := db.BatchSet(ctx, items, client.BatchOptions{})
			return err
		},
		"batch delete": func(ctx context.Context, _ client.Timestamp) error {
			_, err := db.BatchDelete(ctx, []string{"n", "b", "a"}, client.BatchOptions{})
			return err
		},
		"delete all": func(ctx context.Context, _ client.Timestamp) error {
			_, err := db.DeleteRange(ctx, client.All(), none)
			return err
		},
		"delete a span": func(ctx context.Context, _ client.Timestamp) error {
			_, err := db.DeleteRange(ctx, client.Span("A", "o"), none)
			return err
		},
		"delete by pattern": func(ctx context.Context, _ client.Timestamp) error {
			_, err := db.DeleteRange(ctx, pattern, none)
			return err
		},
		"delete of a bucket": func(ctx context.Context, _ client.Timestamp) error {
			_, err := db.DeleteRange(ctx, bucket, none)
			return err
		},
		"revert": func(ctx context.Context, past client.Timestamp) error {
			_, err := db.Revert(ctx, "a", client.AsOf(past), client.RevertOptions{})
			return err
		},
		"revert of a range": func(ctx context.Context, past client.Timestamp) error {
			_, err := db.RevertRange(ctx, client.Prefix(""), past, client.RevertOptions{})
			return err
		},
		"program": func(ctx context.Context, past client.Timestamp) error {
			_, err := db.Execute(ctx, client.Program{Then: []client.Op{
				client.IncrementOp("n", one, client.UpdateOptions{}),
				client.RevertRangeOp(client.Span("B", "m"), past, client.RevertOptions{}),
				client.DeleteRangeOp(client.Prefix("x"), none),
				client.DeleteRangeOp(client.Prefix("A"), client.DeleteRangeOptions{DryRun: true}),
			}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { loseAndAsk(t, direct, wire, gateway.address, call) })
	}
}

func loseAndAsk(
	t *testing.T, direct *client.DB, wire *cutter, address string,
	call func(context.Context, client.Timestamp) error,
) {
	var past client.Timestamp
	for _, v := range []int64{7, 8} { // the first value is that of the past
		items := []client.SetItem{
			{Key: "a", Value: client.IntValue(v)}, {Key: "n", Value: client.IntValue(v)},
			{Key: "a/b/c*d", Value: client.IntValue(v)},
		}
		set, err := direct.BatchSet(t.Context(), items, client.BatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if v == 7 {
			past = set[0].CommitTS
		}
	}
	names := []string{"a", "n", "a/b/c*d"}
	before, err := direct.BatchGet(t.Context(), names, client.BatchGetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wire.loseAnswers()
	ended := make(chan error, 1)
	go func() { ended <- call(ctx, past) }()
	eventually(t, "its effect", func() bool {
		now, err := direct.BatchGet(t.Context(), names, client.BatchGetOptions{})
		return err == nil && slices.ContainsFunc(now, func(e client.Entry) bool {
			return !slices.ContainsFunc(before, func(b client.Entry) bool {
				return b.Key == e.Key && b.Revision == e.Revision
			})
		})
	})
	cancel()
	err = <-ended
	wire.cut(address)
	if txn.KindOf(err) != txn.Unknown || client.OutcomeToken(err) == "" {
		t.Fatalf("an answer that was lost: %v, token %q", err, client.OutcomeToken(err))
	}
	out, err := direct.CommitOutcome(t.Context(), client.OutcomeToken(err))
	if err != nil || out.State != client.Committed {
		t.Errorf("what happened is told as %+v, %v", out, err)
	}
}
