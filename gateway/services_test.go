package gateway

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"github.com/prometheus/client_golang/prometheus"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

func TestProtocols(t *testing.T) {
	f := start(t)
	for name, opts := range map[string][]connect.ClientOption{
		"connect": nil, "grpc": {connect.WithGRPC()}, "grpc-web": {connect.WithGRPCWeb()},
		"json": {connect.WithProtoJSON()}, "gzip": {connect.WithSendGzip()}, "get": {connect.WithHTTPGet()},
	} {
		kv := cairnv1connect.NewKVServiceClient(f.h2, f.url, opts...)
		value := strings.Repeat("x", 10_000)
		_, err := kv.Set(t.Context(), connect.NewRequest(&cairnv1.SetRequest{Key: []byte(name), Value: str(value)}))
		if err != nil {
			t.Errorf("%s: set: %v", name, err)
		}
		got, err := kv.Get(t.Context(), connect.NewRequest(&cairnv1.GetRequest{Key: []byte(name)}))
		if err != nil || got.Msg.GetValue().GetStringValue() != value {
			t.Errorf("%s: get: %v", name, err)
		}
		_, err = kv.Get(t.Context(), connect.NewRequest(&cairnv1.GetRequest{}))
		if connect.CodeOf(err) != connect.CodeInvalidArgument || detail(t, err).Reason != "key_empty" {
			t.Errorf("%s: empty key: %v", name, err)
		}
	}
}

func TestStrictJSON(t *testing.T) {
	f := start(t)
	for body, want := range map[string]string{
		`{"key":"aw==","value":{"stringValue":"v"}}`:                               "",
		`{"key":"aw==","value":{"stringValue":"v"},"conditions":{"ifAbsnt":true}}`: "ifAbsnt",
		`{"key":"aw==",`: "unexpected EOF",
		``:               "empty",
		`{"key":"!"}`:    "key",
		`[]`:             "unexpected token",
	} {
		for _, kind := range []string{"application/json", "application/json; charset=utf-8"} {
			a := f.do("POST", cairnv1connect.KVServiceSetProcedure, body, "Content-Type", kind)
			bad := a.status == 400 && strings.Contains(a.body, "invalid_argument") && strings.Contains(a.body, want)
			if want == "" && a.status != 200 || want != "" && !bad {
				t.Errorf("%s: %+v", body, a)
			}
		}
	}
}

func TestGzipBomb(t *testing.T) {
	f := start(t)
	var bomb bytes.Buffer
	w, _ := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	zeros := make([]byte, 1<<20)
	for range 20 {
		_, _ = w.Write(zeros)
	}
	_ = w.Close()
	a := f.do("POST", cairnv1connect.KVServiceSetProcedure, bomb.String(),
		"Content-Type", "application/proto", "Content-Encoding", "gzip")
	if a.status != http.StatusTooManyRequests || !strings.Contains(a.body, "inflates to more than 9437184 bytes") {
		t.Errorf("got %+v", a)
	}
	a = f.do("POST", cairnv1connect.KVServiceSetProcedure, strings.Repeat("\x00", RequestBytesMax+1),
		"Content-Type", "application/proto")
	if a.status != http.StatusTooManyRequests {
		t.Errorf("a large message: %d %.100s", a.status, a.body)
	}
}

func TestSmallAnswersAreNotCompressed(t *testing.T) {
	f := start(t)
	f.set("small", "v")
	f.set("large", strings.Repeat("x", 5000))
	for key, want := range map[string]string{"c21hbGw=": "", "bGFyZ2U=": "gzip"} {
		a := f.do("POST", cairnv1connect.KVServiceGetProcedure, `{"key":"`+key+`"}`,
			"Content-Type", "application/json", "Accept-Encoding", "gzip")
		if got := a.header.Get("Content-Encoding"); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

func TestHealthAndReflection(t *testing.T) {
	down := errors.New("no quorum in shard 3")
	var ready error
	f := start(t, func(o *Options) { o.Ready = func() error { return ready } })
	client := grpchealth.NewClient(f.h2, f.url)
	for _, tc := range []struct {
		err    error
		status grpchealth.Status
		code   int
		text   string
	}{{nil, grpchealth.StatusServing, 200, "ok\n"}, {down, grpchealth.StatusNotServing, 503, down.Error() + "\n"}} {
		ready = tc.err
		for _, service := range []string{"", cairnv1connect.KVServiceName, cairnv1connect.StreamServiceName} {
			got, err := client.Check(t.Context(), &grpchealth.CheckRequest{Service: service})
			if err != nil || got.Status != tc.status {
				t.Errorf("%q: %v %v", service, got, err)
			}
		}
		if a := f.do("GET", "/readyz", ""); a.status != tc.code || a.body != tc.text {
			t.Errorf("readyz: %+v", a)
		}
		if a := f.do("GET", "/livez", ""); a.status != 200 {
			t.Errorf("livez: %+v", a)
		}
	}
	_, err := client.Check(t.Context(), &grpchealth.CheckRequest{Service: "x"})
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("an unknown service: %v", err)
	}
	reflection := grpcreflect.NewClient(f.h2, f.url).NewStream(t.Context())
	names, err := reflection.ListServices()
	if err != nil || len(names) != 7 {
		t.Errorf("reflection: %v %v", names, err)
	}
	_, _ = reflection.Close()
}

func TestHosts(t *testing.T) {
	f := start(t, func(o *Options) { o.Hosts = []string{"Cairn.example", "[2001:db8::1]"} })
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:7600": true, "127.0.0.1:1": true, "127.1.2.3": true, "[::1]:7600": true,
		"[::1]": true, "cairn.example": true, "CAIRN.EXAMPLE:80": true, "[2001:db8::1]:7600": true, "": true,
		"evil.example": false, "localhost.evil.example": false, "10.0.0.1": false, "[::2]:1": false,
		"cairn.example.evil.example": false, "a.cairn.example": false, "127.0.0.1.evil": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "http://x/livez", nil)
		r.Host = host
		w := httptest.NewRecorder()
		f.g.Handler().ServeHTTP(w, r)
		if got := w.Code == 200; got != want {
			t.Errorf("%q: status %d", host, w.Code)
		}
	}
}

func TestLandingAndProfiles(t *testing.T) {
	f := start(t, func(o *Options) { o.AccessPProf = true })
	if a := f.do("GET", "/", ""); a.status != 200 || !strings.Contains(a.body, "curl") {
		t.Errorf("landing: %+v", a)
	}
	for _, path := range []string{"", "cmdline", "heap", "symbol"} {
		if a := f.do("GET", "/debug/pprof/"+path, ""); a.status != 200 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestMetrics(t *testing.T) {
	f := start(t)
	f.do("PUT", "/v1/keys/k", "v")
	f.do("GET", "/v1/keys/k", "")
	f.do("GET", "/v1/keys/", "")
	h := f.begin(&cairnv1.BeginRequest{})
	if _, err := f.g.rollback(t.Context(), &cairnv1.RollbackRequest{Txn: h}); err != nil {
		t.Fatal(err)
	}
	a := f.do("GET", "/metrics", "")
	for _, line := range []string{
		`cairn_build_info{go_version="go`,
		`cairn_requests_total{code="ok",method="KVService/Set"} 1`,
		`cairn_requests_total{code="ok",method="KVService/Get"} 1`,
		`cairn_requests_total{code="invalid_argument",method="KVService/Get"} 1`,
		`cairn_request_seconds_count{method="KVService/Get"} 2`,
		`cairn_txn_total{outcome="committed"} 1`,
		`cairn_txn_total{outcome="rolled_back"} 1`,
		`cairn_txn_open 0`,
	} {
		if !strings.Contains(a.body, line) {
			t.Errorf("no %s", line)
		}
	}
}

func TestStatus(t *testing.T) {
	shard := func(id shardrpc.ShardID, start string, leader bool, keys int64) shardrpc.ShardStatus {
		return shardrpc.ShardStatus{
			Route:  shardrpc.Route{Shard: id, Span: txn.Span{Start: txn.Key(start)}},
			Leader: leader, Keys: keys, Bytes: 10 * keys, Intents: 1,
		}
	}
	members := []shardrpc.MemberStatus{
		{ClusterID: "c", MemberID: 1, DataDir: "/data", DiskFree: 5, Shards: []shardrpc.ShardStatus{
			shard(3, "b", false, 7), shard(1, "", true, 100), shard(2, "a", true, 2),
		}},
		{ClusterID: "c", MemberID: 2, Shards: []shardrpc.ShardStatus{
			shard(3, "b", true, 8), shard(1, "", false, 99), shard(2, "a", false, 1),
		}},
	}
	f := start(t, func(o *Options) {
		o.Status = func(context.Context) ([]shardrpc.MemberStatus, error) { return members, nil }
	})
	s, err := f.g.statusOf(t.Context(), &cairnv1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if s.ClusterId != "c" || s.MemberId != 1 || s.DataDir != "/data" || s.Version != "0.0.1" ||
		s.Totals.Shards != 2 || s.Totals.Keys != 10 || s.Totals.Bytes != 100 || s.Totals.Intents != 2 {
		t.Errorf("got %v", s)
	}
	var ids []uint64
	for _, sh := range s.Shards {
		ids = append(ids, sh.Id)
	}
	if len(ids) != 3 || ids[0] != 1 || ids[1] != 2 || ids[2] != 3 || s.Shards[0].Keyspace != "" ||
		s.Shards[1].Keyspace != defaultKeyspace {
		t.Errorf("shards %v", s.Shards)
	}
}

func TestPanicEndsOneCall(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Status = func(context.Context) ([]shardrpc.MemberStatus, error) { panic("secret") }
	})
	status := cairnv1connect.NewStatusServiceClient(f.h2, f.url)
	_, err := status.Status(t.Context(), connect.NewRequest(&cairnv1.StatusRequest{}))
	if connect.CodeOf(err) != connect.CodeInternal || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestOptions(t *testing.T) {
	_, err := New(Options{Hosts: []string{"a:80"}})
	for _, want := range []string{"Coordinator", "Env", "Status", "a:80"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	f := start(t)
	r := prometheus.NewRegistry()
	o := f.g.Options
	o.Registry = r
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	g.Close()
	if _, err := New(o); err == nil {
		t.Error("the same registry twice")
	}
}

func TestExchangeNeedsHTTP2(t *testing.T) {
	f := start(t)
	resp, err := f.plain.Post(f.url+cairnv1connect.StreamServiceExchangeProcedure, "application/connect+proto", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusHTTPVersionNotSupported {
		t.Errorf("status %d", resp.StatusCode)
	}
}
