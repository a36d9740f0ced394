package transport

import (
	"net/http"
	"time"
)

// Limits of a server.
const (
	// StreamsMax is how many requests one HTTP/2 connection may have open. Go's default of 250
	// would make a busy client open more connections; more than this is no use to anyone.
	StreamsMax = 5000
	// HeaderBytesMax is what the headers of a request may take. A key of 4,096 bytes takes up to
	// 12 KiB of the request line when it is escaped.
	HeaderBytesMax = 32 << 10
	// ReceiveBufferBytes is the flow-control window of a connection and of each stream, the most
	// that net/http takes.
	ReceiveBufferBytes = 4<<20 - 1
	// HeaderTimeout bounds how long a client may take to send its headers.
	HeaderTimeout = 5 * time.Second
	// IdleTimeout closes connections that have nothing to do.
	IdleTimeout = 60 * time.Second
	// PingAfter is the silence after which a peer is asked whether it still lives, and
	// PingTimeout how long it may take to answer. Without them half-open connections hang.
	PingAfter   = 15 * time.Second
	PingTimeout = 10 * time.Second
	// WriteTimeout ends a connection that takes no byte for so long.
	WriteTimeout = 30 * time.Second
)

// NewServer is a server of h that speaks HTTP/1.1 and, to clients that begin with it, HTTP/2
// without TLS. It has no read or write timeout for whole requests, since streams live long.
func NewServer(h http.Handler) *http.Server {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	config := http2Config()
	config.MaxConcurrentStreams = StreamsMax
	return &http.Server{
		Handler:           h,
		Protocols:         &p,
		HTTP2:             config,
		ReadHeaderTimeout: HeaderTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    HeaderBytesMax,
	}
}

func http2Config() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxReceiveBufferPerConnection: ReceiveBufferBytes,
		MaxReceiveBufferPerStream:     ReceiveBufferBytes,
		SendPingTimeout:               PingAfter,
		PingTimeout:                   PingTimeout,
		WriteByteTimeout:              WriteTimeout,
	}
}
