package client

import (
	"crypto/tls"
	"net/http"

	"github.com/cairnkv/cairn/proto/transport"
)

// idleConnectionsMax are kept for single calls, so that many callers at once do not reconnect.
const idleConnectionsMax = 64

// httpClients are the two ways to reach a gateway.
type httpClients struct {
	stream *http.Client // HTTP/2, for the stream
	unary  *http.Client // whatever the server speaks, for single calls
	owned  bool
}

// newHTTPClients makes both, unless the user brought one for everything.
func newHTTPClients(scheme string, given *http.Client, config *tls.Config) *httpClients {
	if given != nil {
		return &httpClients{stream: given, unary: given}
	}
	var one http.Protocols
	one.SetHTTP1(true)
	clients := &httpClients{stream: transport.NewClient(), owned: true}
	if scheme == "https" {
		one.SetHTTP2(true)
		var two http.Protocols
		two.SetHTTP2(true)
		clients.stream = newHTTPClient(&two, config.Clone())
	}
	clients.unary = newHTTPClient(&one, config.Clone())
	return clients
}

func newHTTPClient(p *http.Protocols, config *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		Protocols:           p,
		TLSClientConfig:     config,
		MaxIdleConnsPerHost: idleConnectionsMax,
		IdleConnTimeout:     transport.IdleTimeout,
		DisableCompression:  true,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerConnection: transport.ReceiveBufferBytes,
			MaxReceiveBufferPerStream:     transport.ReceiveBufferBytes,
			// A connection whose other end is gone must not hang for minutes.
			SendPingTimeout:  transport.PingAfter,
			PingTimeout:      transport.PingTimeout,
			WriteByteTimeout: transport.WriteTimeout,
		},
	}}
}

// close gives back connections of clients that are ours.
func (h *httpClients) close() {
	if h.owned {
		h.stream.CloseIdleConnections()
		h.unary.CloseIdleConnections()
	}
}
