package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// switching is the answer to a request that becomes a connection of another protocol.
const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"

// refusalBytesMax is how much is told of what a server said instead.
const refusalBytesMax = 512

// Upgrade opens a connection to the host of url, asks there for another protocol, and returns the
// connection once the server has agreed. Then the caller speaks first. Only "http" is known as a
// scheme. An error says what the server answered instead, or why there is no answer; if ctx ended
// before there was one, it is its cause.
func Upgrade(ctx context.Context, url, protocol string) (net.Conn, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	if req.URL.Scheme != "http" {
		return nil, fmt.Errorf("%s: the scheme must be http", url)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", protocol)
	conn, err := dialer(&net.Dialer{Timeout: DialTimeout})(ctx, "tcp", req.URL.Host)
	if err != nil {
		return nil, err
	}
	hangUp := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = ask(conn, req, protocol)
	if !hangUp() {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close() // it is of no use, whatever this says
		return nil, err
	}
	return conn, nil
}

// ask sends req and reads the answer, and nothing that comes behind it.
func ask(conn net.Conn, req *http.Request, protocol string) error {
	if err := req.Write(conn); err != nil {
		return err
	}
	in := bufio.NewReader(io.LimitReader(conn, HeaderBytesMax))
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols:
		return refusal(resp, protocol)
	case !strings.EqualFold(resp.Header.Get("Upgrade"), protocol):
		return fmt.Errorf("the server speaks %q, not %s", resp.Header.Get("Upgrade"), protocol)
	case in.Buffered() > 0:
		return errors.New("the server spoke before it was spoken to")
	}
	return nil
}

// refusal is what a server answered that does not change the protocol.
func refusal(resp *http.Response, protocol string) error {
	var said []byte
	if resp.ContentLength > 0 { // else nobody knows how long it takes to come
		said, _ = io.ReadAll(io.LimitReader(resp.Body, refusalBytesMax)) // as much as there is
	}
	return fmt.Errorf("the server does not speak %s: it answered %s %q",
		protocol, resp.Status, strings.TrimSpace(string(said)))
}

// Hijack agrees to change the protocol if r asks for it, and then the connection is the caller's,
// without deadlines. Otherwise it answers 426 Upgrade Required, as to requests of HTTP/2, which
// knows no such thing, and fails.
func Hijack(w http.ResponseWriter, r *http.Request, protocol string) (net.Conn, error) {
	if r.ProtoMajor != 1 || r.Method != http.MethodGet ||
		!strings.EqualFold(r.Header.Get("Connection"), "Upgrade") ||
		!strings.EqualFold(r.Header.Get("Upgrade"), protocol) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", protocol)
		http.Error(w, "this is for HTTP/1.1 requests that upgrade to "+protocol,
			http.StatusUpgradeRequired)
		return nil, fmt.Errorf("a request of %s to %s does not ask for %s",
			r.Proto, r.URL.Path, protocol)
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	if n := buffered.Reader.Buffered(); n > 0 {
		err = fmt.Errorf("%d bytes came before the protocol had changed", n)
	} else {
		_, err = fmt.Fprintf(conn, switching, protocol)
	}
	if err != nil {
		_ = conn.Close() // it is of no use, whatever this says
		return nil, err
	}
	return conn, nil
}
