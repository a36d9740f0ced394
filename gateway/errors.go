package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"github.com/cairnkv/cairn/internal/env"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// errorClass is how one kind of error looks from outside.
type errorClass struct {
	code   connect.Code
	wire   cairnv1.ErrorKind
	word   string // in JSON
	status int    // of HTTP
	next   string // unless the error itself says
}

// errorClasses is indexed by txn.ErrorKind. Moved stays between gateways and members: a client
// that meets it sees an unavailable.
var errorClasses = [...]errorClass{
	txn.Internal: {connect.CodeInternal, cairnv1.ErrorKind_ERROR_KIND_INTERNAL,
		"internal", http.StatusInternalServerError, "report it; the server's log says more"},
	txn.Invalid: {connect.CodeInvalidArgument, cairnv1.ErrorKind_ERROR_KIND_INVALID,
		"invalid_argument", http.StatusBadRequest, "fix the request"},
	txn.NotFound: {connect.CodeNotFound, cairnv1.ErrorKind_ERROR_KIND_NOT_FOUND,
		"not_found", http.StatusNotFound, ""},
	txn.Conflict: {connect.CodeAborted, cairnv1.ErrorKind_ERROR_KIND_CONFLICT,
		"conflict", http.StatusConflict, "run the transaction again from the start"},
	txn.Wounded: {connect.CodeAborted, cairnv1.ErrorKind_ERROR_KIND_WOUNDED,
		"wounded", http.StatusConflict, "run the transaction again from the start"},
	txn.Moved: {connect.CodeUnavailable, cairnv1.ErrorKind_ERROR_KIND_UNAVAILABLE,
		"unavailable", http.StatusServiceUnavailable, "nothing happened; repeat the call"},
	txn.Unavailable: {connect.CodeUnavailable, cairnv1.ErrorKind_ERROR_KIND_UNAVAILABLE,
		"unavailable", http.StatusServiceUnavailable, "nothing happened; repeat the call in a moment"},
	txn.Exhausted: {connect.CodeResourceExhausted, cairnv1.ErrorKind_ERROR_KIND_EXHAUSTED,
		"resource_exhausted", http.StatusTooManyRequests, "ask for less, or later"},
	txn.TooOld: {connect.CodeOutOfRange, cairnv1.ErrorKind_ERROR_KIND_TOO_OLD,
		"too_old", http.StatusGone, "read at a later time"},
	txn.Unauthenticated: {connect.CodeUnauthenticated, cairnv1.ErrorKind_ERROR_KIND_UNAUTHENTICATED,
		"unauthenticated", http.StatusUnauthorized, "say who you are"},
	txn.Denied: {connect.CodePermissionDenied, cairnv1.ErrorKind_ERROR_KIND_DENIED,
		"permission_denied", http.StatusForbidden, ""},
	txn.Deadline: {connect.CodeDeadlineExceeded, cairnv1.ErrorKind_ERROR_KIND_DEADLINE,
		"deadline_exceeded", http.StatusGatewayTimeout, "nothing happened; allow more time"},
	txn.Unknown: {connect.CodeUnknown, cairnv1.ErrorKind_ERROR_KIND_UNKNOWN,
		"unknown", http.StatusInternalServerError,
		"it may have been committed; ask Outcome with the token, or read what it wrote"},
}

func classOf(kind txn.ErrorKind) *errorClass {
	if int(kind) >= len(errorClasses) {
		kind = txn.Internal
	}
	return &errorClasses[kind]
}

// classify makes err one of ours. An error of no kind that ends a call which may have written
// leaves its outcome open; otherwise it is a deadline if the caller stopped waiting, and else a
// bug. A bug's text is for the log alone.
func classify(err error, mutates bool) *txn.Error {
	if e, ok := errors.AsType[*txn.Error](err); ok {
		return e
	}
	waited := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case mutates:
		return &txn.Error{Kind: txn.Unknown, Reason: "interrupted",
			Err: errors.New("the call ended before its outcome was known")}
	case waited:
		return errGaveUp(err)
	case errors.Is(err, env.ErrStopped):
		return errShuttingDown()
	default:
		return &txn.Error{Kind: txn.Internal, Err: errors.New("internal error")}
	}
}

// errGaveUp says that the caller stopped waiting before anything was done.
func errGaveUp(cause error) *txn.Error {
	if errors.Is(cause, context.Canceled) {
		return txn.Errorf(txn.Deadline, "canceled", "the caller canceled the call")
	}
	return txn.Errorf(txn.Deadline, "deadline", "the caller's deadline passed")
}

func errShuttingDown() *txn.Error {
	return txn.Errorf(txn.Unavailable, "shutting_down", "this gateway is shutting down")
}

// message is what people read. The kind is said by the code, and what to do by the detail.
func message(e *txn.Error) string {
	m := e.Kind.String()
	if e.Err != nil {
		m = e.Err.Error()
	}
	if e.Key != nil {
		m += " (key " + strconv.Quote(string(userKey(e))) + ")"
	}
	return m
}

// inKeyspace says in the text of e which keyspace its key is in, unless that is the default.
func (g *Gateway) inKeyspace(e *txn.Error) *txn.Error {
	if len(e.Key) <= 4 || e.Key.Keyspace() == txn.DefaultKeyspace || e.Err == nil {
		return e
	}
	with := *e
	with.Err = fmt.Errorf("%w, in keyspace %q", e.Err, g.keyspaceName(e.Key.Keyspace()))
	return &with
}

func nextStep(e *txn.Error) string {
	if e.Next != "" {
		return e.Next
	}
	return classOf(e.Kind).next
}

// userKey is what the user calls the key that is to blame, nil if none is.
func userKey(e *txn.Error) []byte {
	if len(e.Key) <= 4 {
		return nil
	}
	return e.Key.User()
}

func detailOf(e *txn.Error) *cairnv1.ErrorDetail {
	return &cairnv1.ErrorDetail{
		Kind:           classOf(e.Kind).wire,
		Reason:         e.Reason,
		Key:            userKey(e),
		Next:           nextStep(e),
		Token:          e.Token,
		OldestCommitTs: int64(e.Oldest),
		BlockerTxn:     blockerTxn(e),
		BlockerAge:     int64(e.OtherAge),
	}
}

// errorOf is the error of which another gateway answered the detail.
func errorOf(d *cairnv1.ErrorDetail, message string) *txn.Error {
	e := &txn.Error{
		Reason: d.GetReason(), Next: d.GetNext(), Oldest: txn.Timestamp(d.GetOldestCommitTs()),
		OtherAge: txn.Timestamp(d.GetBlockerAge()), Token: d.GetToken(),
	}
	if key := d.GetKey(); len(key) > 0 {
		e.Key = txn.NewKey(txn.DefaultKeyspace, key)
		message = strings.TrimSuffix(message, " (key "+e.Key.String()+")")
	}
	e.Err = errors.New(message)
	for kind := range errorClasses {
		if errorClasses[kind].wire == d.GetKind() {
			e.Kind = txn.ErrorKind(kind)
		}
	}
	e.Other, _ = txn.ParseID(d.GetBlockerTxn()) // of a newer release perhaps
	return e
}

// blockerTxn names the transaction that was in the way, if it is known.
func blockerTxn(e *txn.Error) string {
	if e.Other == 0 {
		return ""
	}
	return e.Other.String()
}

// connectError is e as Connect, gRPC and gRPC-Web carry it.
func connectError(e *txn.Error) *connect.Error {
	c := connect.NewError(classOf(e.Kind).code, errors.New(message(e)))
	if d, err := connect.NewErrorDetail(detailOf(e)); err == nil {
		c.AddDetail(d)
	}
	return c
}

// callError is e as the stream carries it.
func callError(e *txn.Error) *cairnv1.CallError {
	return &cairnv1.CallError{
		Code:    uint32(classOf(e.Kind).code),
		Message: message(e),
		Detail:  detailOf(e),
	}
}

// httpStatus is the status of e at the HTTP endpoint.
func httpStatus(e *txn.Error) int {
	switch e.Reason {
	case reasonValueTooLarge, reasonBodyTooLarge:
		return http.StatusRequestEntityTooLarge
	case reasonEncoding, reasonContentType:
		return http.StatusUnsupportedMediaType
	case "keyspace_exists", "keyspace_deleting":
		return http.StatusConflict
	}
	return classOf(e.Kind).status
}
