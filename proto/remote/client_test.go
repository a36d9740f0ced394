package remote

import (
	"context"
	"errors"
	"testing"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// TestErrors: what the member says comes through with its kind; that nobody
// answered comes as no error of txn, lest a lost read look like an unknown commit.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []byte
		err    error
		kind   txn.ErrorKind
		ours   bool
	}{
		{"refused", nil, txn.Errorf(txn.Invalid, "r", "no"), txn.Invalid, true},
		{"stopped", nil, txn.Errorf(txn.Unavailable, "r", "no"), txn.Unavailable, true},
		{"not told", nil, txn.Errorf(txn.Unknown, "r", "who knows"), 0, false},
		{"unreadable", []byte{99}, nil, 0, false},
	} {
		client := dial(t, func(context.Context, uint8, []byte) ([]byte, error) { return c.answer, c.err })
		_, err := client.Read(t.Context(), &shardrpc.ReadRequest{})
		e, ours := errors.AsType[*txn.Error](err)
		if ours != c.ours || ours && e.Kind != c.kind || err == nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestLost(t *testing.T) {
	client := dial(t, func(ctx context.Context, _ uint8, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	_, err := client.Commit(ctx, &shardrpc.CommitRequest{})
	if _, ours := errors.AsType[*txn.Error](err); ours || err == nil {
		t.Errorf("%v", err)
	}
	if !errors.Is(err, link.ErrLost) && !errors.Is(err, link.ErrUnsent) {
		t.Errorf("%v is neither lost nor unsent", err)
	}
}

// TestSessions: what a session's answers mean.
func TestSessions(t *testing.T) {
	answer := shardrpc.OK
	client := dial(t, func(_ context.Context, method uint8, b []byte) ([]byte, error) {
		if shardrpc.Method(method) == shardrpc.MethodRenew {
			return shardrpc.Encode(&shardrpc.RenewResponse{Answer: answer}), nil
		}
		if shardrpc.Method(method) == shardrpc.MethodFindSession {
			return shardrpc.Encode(&shardrpc.FindSessionResponse{Answer: answer, Address: "there"}), nil
		}
		req, err := shardrpc.Decode[shardrpc.SessionRequest](b)
		if err != nil || !req.Leased || req.Sole || req.Address != "gw" {
			t.Errorf("%+v, %v", req, err)
		}
		return shardrpc.Encode(&shardrpc.SessionResponse{Answer: answer, Session: 7}), nil
	})
	for _, c := range []struct {
		answer       shardrpc.Answer
		session      uint32
		open         bool
		opens, renew txn.ErrorKind // Internal: no error
	}{
		{shardrpc.OK, 7, true, txn.Internal, txn.Internal},
		{shardrpc.Gone, 0, false, txn.Exhausted, txn.Internal},
		{shardrpc.Retry, 0, false, txn.Unavailable, txn.Unavailable},
	} {
		answer = c.answer
		session, err := client.OpenSession(t.Context(), "gw")
		open, err2 := client.Renew(t.Context(), 7)
		if session != c.session || open != c.open || txn.KindOf(err) != c.opens || txn.KindOf(err2) != c.renew {
			t.Errorf("%v: session %d, open %v, %v, %v", c.answer, session, open, err, err2)
		}
		at, found, err := client.FindSession(t.Context(), 7)
		if found != c.open || found && at != "there" || txn.KindOf(err) != c.renew {
			t.Errorf("%v: found at %q, %v, %v", c.answer, at, found, err)
		}
	}
}
