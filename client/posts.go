package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/txn"
)

const (
	contentProto = "application/proto"
	// timeoutDigitsMax is how long a timeout may be in Connect's protocol.
	timeoutDigitsMax = 10
)

// posts makes the requests of unary calls itself, by Connect's protocol: that takes less than half
// of what connect-go's client on net/http's does. What is not an answer is left to connect-go.
type posts struct {
	poster *transport.Poster
	path   string // before that of a procedure
	header string // of all requests
}

// newPosts is nil where net/http is needed: for TLS, for a proxy, or since the user brought it.
func newPosts(base *url.URL, given *http.Client, who identity) *posts {
	if given != nil || base.Scheme != "http" {
		return nil
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
	if proxy != nil || err != nil {
		return nil
	}
	header := http.Header{
		"Content-Type": {contentProto}, "Connect-Protocol-Version": {"1"},
	}
	who.sign(header)
	var lines strings.Builder
	_ = header.Write(&lines) // a Builder takes everything
	return &posts{
		poster: transport.NewPoster(base),
		path:   strings.TrimRight(base.EscapedPath(), "/"),
		header: lines.String(),
	}
}

func (p *posts) call(ctx context.Context, c *call) error {
	body, err := proto.Marshal(c.req)
	if err != nil {
		return err
	}
	resp, answer, err := p.poster.Post(ctx, &transport.Post{
		Path: p.path + procedures[c.method], Header: p.header + timeoutLine(ctx), Body: body,
		AnswerBytesMax: answerBytesMax,
	})
	if err != nil {
		return &lostError{sent: !neverSent(err), kind: txn.Unavailable, err: err}
	}
	if !answered(resp) {
		return refusal(ctx, resp, answer)
	}
	if err := proto.Unmarshal(answer, c.res); err != nil {
		return &lostError{sent: true, kind: txn.Internal, err: err}
	}
	return nil
}

// timeoutLine tells the server how long ctx lasts, if it ends.
func timeoutLine(ctx context.Context) string {
	at, ok := ctx.Deadline()
	if !ok {
		return ""
	}
	ms := strconv.FormatInt(max(time.Until(at).Milliseconds(), 1), 10)
	if len(ms) > timeoutDigitsMax {
		return ""
	}
	return "Connect-Timeout-Ms: " + ms + "\r\n"
}

// answered reports whether resp is the answer of a call that has not failed.
func answered(resp *http.Response) bool {
	return resp.StatusCode == http.StatusOK && resp.Header.Get("Content-Type") == contentProto &&
		resp.Header.Get("Content-Encoding") == ""
}

// refusal is the error that resp stands for. It lets connect-go say so, as if it had got it.
func refusal(ctx context.Context, resp *http.Response, body []byte) error {
	resp.Body = io.NopCloser(bytes.NewReader(body))
	client := connect.NewClient[emptypb.Empty, emptypb.Empty](
		canned{resp}, "http://canned/", connect.WithReadMaxBytes(answerBytesMax))
	ctx = context.WithoutCancel(ctx) // the answer is there
	_, err := client.CallUnary(ctx, connect.NewRequest(&emptypb.Empty{}))
	if err == nil {
		err = fmt.Errorf("the server answered %s", resp.Status)
	}
	return fromConnect(err)
}

// canned is an HTTP client that has got its answer.
type canned struct{ resp *http.Response }

// Do implements connect.HTTPClient.
func (c canned) Do(req *http.Request) (*http.Response, error) {
	c.resp.Request = req
	return c.resp, nil
}
