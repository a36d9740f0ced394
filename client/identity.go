package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"connectrpc.com/connect"
)

// principalHeader names who calls, for History.
const principalHeader = "X-Cairn-Principal"

// identity is what every request says about who sends it: on the stream the one that opens it.
type identity struct{ principal, token string }

var _ connect.Interceptor = identity{}

func (i identity) sign(h http.Header) {
	if i.principal != "" {
		h.Set(principalHeader, i.principal)
	}
	if i.token != "" {
		h.Set("Authorization", "Bearer "+i.token)
	}
}

// checkHeader refuses what no HTTP header can carry.
func checkHeader(name, value string) error {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return fmt.Errorf("%s has a control character", name)
	}
	return nil
}

// WrapUnary implements connect.Interceptor.
func (i identity) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		i.sign(req.Header())
		return next(ctx, req)
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (i identity) WrapStreamingClient(
	next connect.StreamingClientFunc,
) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		i.sign(conn.RequestHeader())
		return conn
	}
}

// WrapStreamingHandler implements connect.Interceptor; this side handles nothing.
func (i identity) WrapStreamingHandler(
	next connect.StreamingHandlerFunc,
) connect.StreamingHandlerFunc {
	return next
}
