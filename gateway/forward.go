package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// An open transaction lives in the gateway that began it. A call that reaches another one goes on
// to that, by the session in its handle, and no further.

const (
	// forwardedHeader marks a call that has come from another gateway.
	forwardedHeader = "Cairn-Forwarded"
	// reachMax is how long a gateway that does not answer is asked again. By then its session has
	// ended if it is gone.
	reachMax = 3 * time.Second
	// reachPause is between two attempts.
	reachPause = 100 * time.Millisecond
)

type forwardedKey struct{}

// arrived is ctx of a call with these headers.
func arrived(ctx context.Context, header interface{ Get(string) string }) context.Context {
	if header.Get(forwardedHeader) == "" {
		return ctx
	}
	return context.WithValue(ctx, forwardedKey{}, true)
}

// departs gives the headers of a forwarded call what this gateway knows of the caller.
func departs(ctx context.Context, header http.Header) {
	header.Set(forwardedHeader, "1")
	if name, _ := principalOf(ctx); name != "" {
		header.Set(principalHeader, name)
	}
}

// away reports whether the transaction that req names, if it does, is held by another gateway.
func (g *Gateway) away(ctx context.Context, req any) (token.Handle, bool) {
	r, ok := req.(interface{ GetTxn() string })
	if !ok || r.GetTxn() == "" || g.held.find(r.GetTxn()) != nil {
		return token.Handle{}, false
	}
	h, ok := token.ParseHandle(r.GetTxn())
	if !ok || h.Txn.Session() == g.Coordinator.Session() {
		return token.Handle{}, false // there is none, or it has ended
	}
	return h, ctx.Value(forwardedKey{}) == nil
}

// serve runs f here, or at the gateway that holds the transaction.
func serve[Req, Resp any](
	ctx context.Context, g *Gateway, m method, req *Req,
	f func(*Gateway, context.Context, *Req) (*Resp, error),
) (*Resp, error) {
	if _, err := principalOf(ctx); err != nil {
		return nil, err
	}
	h, away := g.away(ctx, req)
	if !away || m == methodRangeStream { // which has an answer of its own kind
		return f(g, ctx, req)
	}
	resp := new(Resp)
	err := g.reach(ctx, distantCall(m, h, req), func(address string) error {
		c := connect.NewClient[Req, Resp](g.peers.http, peerURL(address, m), peerOptions()...)
		r := connect.NewRequest(req)
		departs(ctx, r.Header())
		answer, err := c.CallUnary(ctx, r)
		if err == nil {
			resp = answer.Msg
		}
		return err
	})
	switch c := any(req).(type) {
	case *cairnv1.RollbackRequest:
		if isOver(err) {
			err = nil // nothing is left of it, as asked for
		}
	case *cairnv1.CommitRequest:
		if isOver(err) {
			answer, err := g.committedBefore(ctx, c, err)
			resp, _ = any(answer).(*Resp)
			return resp, err
		}
	}
	return resp, err
}

// forwardStream is serve for RangeStream.
func (g *Gateway) forwardStream(
	ctx context.Context, h token.Handle, req *cairnv1.RangeStreamRequest,
	send func(*cairnv1.RangeStreamResponse) error,
) error {
	sent := false
	return g.reach(ctx, distant{method: methodRangeStream, handle: h}, func(address string) error {
		c := connect.NewClient[cairnv1.RangeStreamRequest, cairnv1.RangeStreamResponse](
			g.peers.http, peerURL(address, methodRangeStream), peerOptions()...)
		r := connect.NewRequest(req)
		departs(ctx, r.Header())
		stream, err := c.CallServerStream(ctx, r)
		if err != nil {
			return err
		}
		defer func() { _ = stream.Close() }() // it is over, or nobody reads it
		for stream.Receive() {
			sent = true
			if err := send(stream.Msg()); err != nil {
				return errGaveUp(context.Canceled)
			}
		}
		err = stream.Err()
		if err == nil || !sent || answered(err) != nil {
			return err
		}
		if ctx.Err() != nil {
			return errGaveUp(ctx.Err())
		}
		return errCut(err) // what was sent cannot be taken back: there is no other attempt
	})
}

func errCut(err error) error {
	return txn.Errorf(txn.Unavailable, "answer_cut",
		"the answer of the gateway that holds the transaction was cut: %w", err)
}

func peerURL(address string, m method) string {
	return "http://" + address + "/cairn.v1." + m.String()
}

func peerOptions() []connect.ClientOption {
	return []connect.ClientOption{
		connect.WithAcceptCompression("gzip", nil, nil),
		connect.WithReadMaxBytes(ResponseBytesMax),
	}
}

// distant is a call for a transaction that another gateway holds.
type distant struct {
	method method
	handle token.Handle
	commit token.Token // of a commit that may commit writes
}

func distantCall(m method, h token.Handle, req any) distant {
	d := distant{method: m, handle: h}
	if c, ok := req.(*cairnv1.CommitRequest); ok {
		d.commit = commitToken(c) // what is wrong with it the other gateway says
	}
	return d
}

// reach calls try with the address of the gateway that holds the transaction until that answers, or
// is known to be gone.
func (g *Gateway) reach(ctx context.Context, c distant, try func(address string) error) error {
	g.metrics.passed.Inc()
	until := g.Env.Now() + reachMax
	session := c.handle.Txn.Session()
	for {
		address, open, err := g.peers.find(ctx, session)
		switch {
		case err != nil:
			return err
		case !open:
			return c.gone()
		}
		err = try(address)
		if err == nil {
			return nil
		}
		if e := answered(err); e != nil {
			return e
		}
		g.peers.forget(session)
		switch {
		case !neverSent(err) && !c.method.reads():
			return c.lost(err)
		case ctx.Err() != nil:
			return errGaveUp(ctx.Err())
		case g.Env.Now() >= until:
			return txn.Errorf(txn.Unavailable, "gateway_unreachable",
				"the gateway at %s, which holds the transaction, does not answer: %w", address, err)
		}
		if err := g.Env.Sleep(ctx, reachPause); err != nil {
			return errGaveUp(err)
		}
	}
}

// gone is for a transaction whose gateway's session has ended: nothing of it is left, unless an
// earlier call was to commit it.
func (c distant) gone() error {
	return &txn.Error{
		Kind: txn.Conflict, Reason: reasonGatewayLost, Txn: c.handle.Txn,
		Err:  errors.New("the gateway that held the transaction is gone, and the transaction with it"),
		Next: "run the transaction again from the start",
	}
}

// lost is for a call that may have been carried out.
func (c distant) lost(err error) error {
	err = fmt.Errorf("the gateway that holds the transaction did not answer: %w", err)
	if c.commit.Anchor != nil {
		return &txn.Error{
			Kind: txn.Unknown, Reason: "outcome_unknown", Txn: c.handle.Txn, Key: c.handle.Anchor,
			Token: c.commit.String(), Err: err,
		}
	}
	return &txn.Error{
		Kind: txn.Conflict, Reason: "answer_lost", Txn: c.handle.Txn, Err: err,
		Next: "nothing was committed: run the transaction again from the start",
	}
}

// answered is what the other gateway itself said, nil if it said nothing.
func answered(err error) *txn.Error {
	if e, ok := errors.AsType[*txn.Error](err); ok {
		return e
	}
	c, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return nil
	}
	for _, d := range c.Details() {
		v, err := d.Value()
		if detail, ok := v.(*cairnv1.ErrorDetail); ok && err == nil {
			return errorOf(detail, c.Message())
		}
	}
	return nil
}

// neverSent reports whether err is that of making the connection.
func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
