package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// errorTable pairs the kinds of this module with those on the wire and with
// the codes of Connect and gRPC. The first row of a code is what that code
// means where no detail came with it.
var errorTable = []struct {
	kind txn.ErrorKind
	wire cairnv1.ErrorKind
	code connect.Code
}{
	{txn.Internal, cairnv1.ErrorKind_ERROR_KIND_INTERNAL, connect.CodeInternal},
	{txn.Invalid, cairnv1.ErrorKind_ERROR_KIND_INVALID, connect.CodeInvalidArgument},
	{txn.NotFound, cairnv1.ErrorKind_ERROR_KIND_NOT_FOUND, connect.CodeNotFound},
	{txn.Conflict, cairnv1.ErrorKind_ERROR_KIND_CONFLICT, connect.CodeAborted},
	{txn.Wounded, cairnv1.ErrorKind_ERROR_KIND_WOUNDED, connect.CodeAborted},
	{txn.Unavailable, cairnv1.ErrorKind_ERROR_KIND_UNAVAILABLE, connect.CodeUnavailable},
	{txn.Moved, cairnv1.ErrorKind_ERROR_KIND_MOVED, connect.CodeUnavailable},
	{txn.Exhausted, cairnv1.ErrorKind_ERROR_KIND_EXHAUSTED, connect.CodeResourceExhausted},
	{txn.TooOld, cairnv1.ErrorKind_ERROR_KIND_TOO_OLD, connect.CodeOutOfRange},
	{
		txn.Unauthenticated,
		cairnv1.ErrorKind_ERROR_KIND_UNAUTHENTICATED, connect.CodeUnauthenticated,
	},
	{txn.Denied, cairnv1.ErrorKind_ERROR_KIND_DENIED, connect.CodePermissionDenied},
	{txn.Deadline, cairnv1.ErrorKind_ERROR_KIND_DEADLINE, connect.CodeDeadlineExceeded},
	{txn.Unknown, cairnv1.ErrorKind_ERROR_KIND_UNKNOWN, connect.CodeUnknown},
}

// kindOfWire is the kind of a detail; false for one that this release does not know.
func kindOfWire(wire cairnv1.ErrorKind) (txn.ErrorKind, bool) {
	for _, row := range errorTable {
		if row.wire == wire {
			return row.kind, true
		}
	}
	return txn.Internal, false
}

// kindOfCode is what a bare code means for a call that cannot have changed anything.
func kindOfCode(code connect.Code) txn.ErrorKind {
	switch code {
	case connect.CodeUnknown, connect.CodeCanceled:
		return txn.Unavailable // made up on the way: by a proxy, or for a broken connection
	case connect.CodeUnimplemented:
		return txn.Invalid
	}
	for _, row := range errorTable {
		if row.code == code {
			return row.kind
		}
	}
	return txn.Internal
}

// ErrorToWire is e as a gateway sends it: for what stands in for one in tests.
func ErrorToWire(e *txn.Error) *cairnv1.CallError {
	w := &cairnv1.CallError{
		Code:    uint32(connect.CodeInternal),
		Message: e.Kind.String(),
		Detail: &cairnv1.ErrorDetail{
			Reason: e.Reason, Next: e.Next, Token: e.Token, OldestCommitTs: int64(e.Oldest),
			BlockerAge: int64(e.OtherAge),
		},
	}
	for _, row := range errorTable {
		if row.kind == e.Kind {
			w.Code, w.Detail.Kind = uint32(row.code), row.wire
		}
	}
	if e.Err != nil {
		w.Message = e.Err.Error()
	}
	if len(e.Key) > 0 {
		w.Detail.Key = e.Key.User()
	}
	if e.Other != 0 {
		w.Detail.BlockerTxn = e.Other.String()
	}
	return w
}

// lostError is a call that ended without Cairn's word on it.
type lostError struct {
	sent bool          // it may have reached the server
	kind txn.ErrorKind // what a bare code says, for calls that change nothing
	err  error
}

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// OutcomeToken is the opaque name of the commit whose outcome is unknown, for
// DB.CommitOutcome; empty if err has none.
func OutcomeToken(err error) string {
	if e, ok := errors.AsType[*txn.Error](err); ok {
		return e.Token
	}
	return ""
}

// fromDetail makes our error of what the server answered. Without a detail, or
// with one of a kind that this release does not know, it is a lostError.
func fromDetail(code connect.Code, message string, d *cairnv1.ErrorDetail) error {
	kind, known := kindOfWire(d.GetKind())
	if !known {
		return &lostError{
			sent: true, kind: kindOfCode(code), err: fmt.Errorf("%s: %s", code, message),
		}
	}
	e := &txn.Error{
		Kind: kind, Reason: d.Reason, Next: d.Next, Oldest: txn.Timestamp(d.OldestCommitTs),
		Token: d.Token, OtherAge: txn.Timestamp(d.BlockerAge),
	}
	e.Other, _ = txn.ParseID(d.BlockerTxn) // of a newer release perhaps: nobody needs it
	if len(d.Key) > 0 {
		e.Key = txn.NewKey(txn.DefaultKeyspace, d.Key)
	}
	e.Err = errors.New(bareMessage(message, e))
	return e
}

// bareMessage drops from a message what e prints around it anyway.
func bareMessage(message string, e *txn.Error) string {
	message = strings.TrimPrefix(message, e.Kind.String()+": ")
	if e.Next != "" {
		message = strings.TrimSuffix(message, "; "+e.Next)
	}
	if e.Key != nil {
		message = strings.TrimSuffix(message, " (key "+e.Key.String()+")")
	}
	return message
}

// fromConnect makes our error of what a Connect call returned.
func fromConnect(err error) error {
	ce, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return &lostError{sent: !neverSent(err), kind: txn.Unavailable, err: err}
	}
	for _, d := range ce.Details() {
		value, bad := d.Value()
		if detail, ok := value.(*cairnv1.ErrorDetail); ok && bad == nil {
			return fromDetail(ce.Code(), ce.Message(), detail)
		}
	}
	kind := kindOfCode(ce.Code())
	if !connect.IsWireError(ce) {
		kind = txn.Unavailable // the code is a guess of our own side
	}
	return &lostError{sent: !neverSent(err), kind: kind, err: cause(err)}
}

// cause is err without the code that our own side guessed for it.
func cause(err error) error {
	ce, ok := err.(*connect.Error)
	if !ok || connect.IsWireError(ce) || ce.Unwrap() == nil {
		return err
	}
	return ce.Unwrap()
}

// neverSent reports whether err is that of making the connection: to a place where nobody is, to
// somebody who is not trusted, or over TLS to who does not speak it.
func neverSent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted || errors.Is(err, http.ErrSchemeMismatch)
}

// timeUp is the error of a call whose context ended while nothing was at stake.
func timeUp(ctx context.Context, op string) *txn.Error {
	return &txn.Error{Kind: txn.Deadline, Op: op, Reason: "context", Err: context.Cause(ctx)}
}
