package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/txn"
)

var errNoSuchService = errors.New("there is no such service here")

// Handler serves everything: the services, the HTTP endpoint, health, metrics. Paths are looked up
// by hand, since http.ServeMux redirects a key with // or .. in it to another key.
func (g *Gateway) Handler() http.Handler {
	metrics := promhttp.HandlerFor(g.Registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.hostAllowed(r.Host) {
			writeError(w, txn.Errorf(txn.Denied, "host_refused",
				"host %q is neither loopback nor one of this gateway's configured names", r.Host))
			return
		}
		path := r.URL.EscapedPath()
		switch {
		case strings.HasPrefix(path, "/v1/"):
			g.serveV1(w, introduced(r), path)
		case path == "/metrics":
			metrics.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/debug/pprof/") && g.AccessPProf:
			serveProfile(w, r)
		default:
			g.servePage(w, introduced(r), path)
		}
	})
}

// servePage serves the services and the small fixed pages.
func (g *Gateway) servePage(w http.ResponseWriter, r *http.Request, path string) {
	switch path {
	case "/":
		plain(w, http.StatusOK, landing)
		return
	case "/livez":
		plain(w, http.StatusOK, "ok\n")
		return
	case "/readyz":
		if err := g.Ready(); err != nil {
			plain(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
		plain(w, http.StatusOK, "ok\n")
		return
	}
	if d, ok := g.directOf(r, path); ok && g.serveDirect(w, r, d) {
		return
	}
	service, _, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	h := g.mounts["/"+service+"/"]
	if !ok || h == nil {
		writeError(w, txn.Errorf(txn.NotFound, "path_unknown", "there is nothing at %q; see /", path))
		return
	}
	if service == cairnv1connect.StreamServiceName { // its body has no end
		control := http.NewResponseController(w)
		r = r.WithContext(context.WithValue(r.Context(), controlKey{}, control))
		w = &transport.JoiningWriter{ResponseWriter: w}
	} else {
		r.Body = http.MaxBytesReader(w, r.Body, RequestBytesMax+envelopeBytes)
	}
	h.ServeHTTP(w, r)
}

// envelopeBytes is room for what frames a message in gRPC's and Connect's protocols.
const envelopeBytes = 1 << 10

// hostAllowed is the defence against DNS rebinding: a web page's script reaches this address under
// a name of its own, never under one of ours. Clients that send no Host are no browsers.
func (g *Gateway) hostAllowed(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if name == "" || name == "localhost" || g.hosts[name] {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

func serveProfile(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimPrefix(r.URL.Path, "/debug/pprof/") {
	case "cmdline":
		pprof.Cmdline(w, r)
	case "profile":
		pprof.Profile(w, r)
	case "symbol":
		pprof.Symbol(w, r)
	case "trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r)
	}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

const landing = `This is Cairn, a transactional, multi-version key/value store.

  curl -X PUT --data-binary 'hello' http://HOST/v1/keys/greeting
  curl -i http://HOST/v1/keys/greeting
  curl 'http://HOST/v1/keys?prefix=gr'
  curl -X DELETE http://HOST/v1/keys/greeting

HOST is where you found this page. The same port speaks Connect, gRPC and gRPC-Web, with
reflection; the services are cairn.v1.KVService, TxnService, KeyspaceService, StatusService,
ClusterService and StreamService. /v1/openapi.json describes all of plain HTTP.
/livez, /readyz and /metrics say how it is.
`

func methodNotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	e := txn.Errorf(txn.Invalid, "method_not_allowed", "%s is not one of %s here", r.Method, allow)
	writeJSON(w, http.StatusMethodNotAllowed, errorBody(e))
}

func badRequest(reason, format string, args ...any) *txn.Error {
	return &txn.Error{Kind: txn.Invalid, Reason: reason, Err: fmt.Errorf(format, args...)}
}
