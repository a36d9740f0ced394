package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// Every kind survives the wire, and its number there is its own plus one.
func TestErrorTable(t *testing.T) {
	if n := len(cairnv1.ErrorKind_name); n != len(errorTable)+1 {
		t.Errorf("%d kinds on the wire, %d in the table", n, len(errorTable))
	}
	for _, row := range errorTable {
		if int32(row.wire) != int32(row.kind)+1 {
			t.Errorf("%v is %d on the wire", row.kind, row.wire)
		}
		in := &txn.Error{
			Kind: row.kind, Reason: "why", Next: "do this", Oldest: 7,
			Key: txn.NewKey(txn.DefaultKeyspace, []byte("k")), Err: errors.New("m"),
		}
		w := ErrorToWire(in)
		if connect.Code(w.Code) != row.code {
			t.Errorf("%v has code %d", row.kind, w.Code)
		}
		err := fromDetail(connect.Code(w.Code), w.Message, w.Detail)
		out, ok := errors.AsType[*txn.Error](err)
		if !ok || out.Error() != in.Error() || out.Reason != "why" || out.Oldest != 7 {
			t.Errorf("%v came back as %v", in, err)
		}
	}
}

func TestErrorMessageSaysThingsOnce(t *testing.T) {
	err := fromDetail(connect.CodeInvalidArgument, `invalid argument: too long (key "k"); cut it`,
		&cairnv1.ErrorDetail{Kind: cairnv1.ErrorKind_ERROR_KIND_INVALID, Key: []byte("k"), Next: "cut it"})
	if want := `invalid argument: too long (key "k"); cut it`; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	err = fromDetail(connect.CodeUnknown, "maybe",
		&cairnv1.ErrorDetail{Kind: cairnv1.ErrorKind_ERROR_KIND_UNKNOWN, Token: "t0"})
	if OutcomeToken(fmt.Errorf("wrapped: %w", err)) != "t0" || OutcomeToken(io.EOF) != "" {
		t.Errorf("no token in %v", err)
	}
}

// A code proves nothing about a call that may have changed something.
func TestClassify(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	detail := &cairnv1.ErrorDetail{Kind: cairnv1.ErrorKind_ERROR_KIND_UNAVAILABLE}
	newer := &cairnv1.ErrorDetail{Kind: 99}
	for _, c := range []struct {
		name   string
		effect effect
		err    error
		want   txn.ErrorKind
		repeat bool
	}{
		{"read, bare unavailable", reads, connect.NewError(connect.CodeUnavailable, io.EOF), txn.Unavailable, true},
		{"read, bare unknown", reads, fromDetail(connect.CodeUnknown, "", nil), txn.Unavailable, true},
		{"read, bare denied", reads, fromDetail(connect.CodePermissionDenied, "", nil), txn.Denied, false},
		{"read, bare unimplemented", reads, fromDetail(connect.CodeUnimplemented, "", nil), txn.Invalid, false},
		{"read, bare internal", reads, fromDetail(connect.CodeInternal, "", nil), txn.Internal, false},
		{"read, no code", reads, io.EOF, txn.Unavailable, true},
		{"write, bare unavailable", commits, fromDetail(connect.CodeUnavailable, "", nil), txn.Unknown, false},
		{"write, bare invalid", commits, fromDetail(connect.CodeInvalidArgument, "", nil), txn.Unknown, false},
		{"write, detail unavailable", commits, fromDetail(connect.CodeUnavailable, "", detail), txn.Unavailable, true},
		{"write, code and detail differ", commits, fromDetail(connect.CodeUnknown, "", detail), txn.Unavailable, true},
		{"write, kind of a newer release", commits, fromDetail(connect.CodeUnavailable, "", newer), txn.Unknown, false},
		{"write, never sent", commits, connect.NewError(connect.CodeUnavailable, dial), txn.Unavailable, true},
		{"write, lost", commits, io.ErrUnexpectedEOF, txn.Unknown, false},
		{"write in a transaction, lost", buffers, io.EOF, txn.Conflict, false},
		{"write, conflict", commits, txn.Errorf(txn.Conflict, "", "x"), txn.Conflict, true},
		{"write in a transaction, conflict", buffers, txn.Errorf(txn.Wounded, "", "x"), txn.Wounded, false},
		{"anything, exhausted", reads, txn.Errorf(txn.Exhausted, "", "x"), txn.Exhausted, false},
	} {
		err := c.err
		switch err.(type) {
		case *txn.Error, *lostError:
		default:
			err = fromConnect(err)
		}
		call := &call{method: cairnv1.Method_METHOD_KV_SET, effect: c.effect}
		e := (&repeater{host: "h:1"}).classify(call, err)
		if e.Kind != c.want || repeatable(t.Context(), call, e) != c.repeat {
			t.Errorf("%s: %v, repeat %v", c.name, e, repeatable(t.Context(), call, e))
		}
		if !strings.HasPrefix(e.Op, "client.") {
			t.Errorf("%s: Op %q", c.name, e.Op)
		}
	}
	commit := &call{method: cairnv1.Method_METHOD_TXN_COMMIT, effect: commits}
	if repeatable(t.Context(), commit, txn.Errorf(txn.Conflict, "", "x")) {
		t.Error("a commit that met a conflict must not be sent again")
	}
}

// flaky fails n times.
type flaky struct {
	n     int
	err   error
	calls int
}

func (f *flaky) call(context.Context, *call) error {
	if f.calls++; f.calls <= f.n {
		return f.err
	}
	return nil
}

func TestRepeaterIsBounded(t *testing.T) {
	ctx := t.Context()
	get := &call{method: cairnv1.Method_METHOD_KV_GET}
	f := &flaky{n: 2, err: &lostError{err: io.EOF}}
	if err := (&repeater{next: f, attemptsMax: 3}).call(ctx, get); err != nil || f.calls != 3 {
		t.Errorf("%v after %d calls", err, f.calls)
	}
	f = &flaky{n: 3, err: &lostError{err: io.EOF}}
	err := (&repeater{next: f, attemptsMax: 3}).call(ctx, get)
	if txn.KindOf(err) != txn.Unavailable || f.calls != 3 {
		t.Errorf("%v after %d calls", err, f.calls)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	f = &flaky{n: 1 << 30, err: &lostError{err: io.EOF}}
	err = (&repeater{next: f, attemptsMax: 1 << 30}).call(ctx, get)
	if txn.KindOf(err) != txn.Deadline || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

func TestMilliseconds(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		0: 0, 1: 1, -1: -1, time.Millisecond: 1, time.Millisecond + 1: 2, -time.Second: -1000,
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("%v is %d ms, want %d", d, got, want)
		}
	}
}
