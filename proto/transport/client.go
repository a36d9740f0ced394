package transport

import (
	"net"
	"net/http"
	"time"
)

// DialTimeout bounds how long a connection may take to open.
const DialTimeout = 5 * time.Second

// NewClient is a client that speaks HTTP/2 without TLS and nothing else: with HTTP/1.1 allowed too
// Go would speak that, and bidirectional streams would fail. A server that cannot do HTTP/2
// answers with an error. When the streams of a connection run out, the client opens another.
//
// It has no timeout: calls carry their own. CloseIdleConnections releases what it holds.
func NewClient() *http.Client {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		Protocols:          &p,
		HTTP2:              http2Config(),
		DialContext:        dialer(&net.Dialer{Timeout: DialTimeout}),
		IdleConnTimeout:    IdleTimeout,
		DisableCompression: true,
	}}
}
