package gateway

import (
	"maps"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
)

// viaConnect makes connect-go serve what would be served directly, and changes nothing else.
const viaConnect = "none-that-is-known"

// alwaysNew are procedures of which no two answers to nothing are the same: they tell the time.
var alwaysNew = map[string]bool{
	cairnv1connect.TxnServiceBeginProcedure: true, cairnv1connect.KVServiceRangeProcedure: true,
	cairnv1connect.StatusServiceStatusProcedure: true,
}

// Whatever is asked, connect-go says the same.
func TestDirectCallsAnswerAsConnectDoes(t *testing.T) {
	f := start(t)
	f.set("k", "v")
	f.set("large", strings.Repeat("x", 10_000))
	encode := func(m proto.Message) string {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	garbage := strings.Repeat("\xff", 20)
	bodies := map[string][]string{
		cairnv1connect.KVServiceGetProcedure: {
			encode(&cairnv1.GetRequest{Key: []byte("k")}), encode(&cairnv1.GetRequest{Key: []byte("none")}),
			encode(&cairnv1.GetRequest{Key: []byte("large")}),
			encode(&cairnv1.GetRequest{Key: []byte("k"), Txn: "no handle"}),
		},
		cairnv1connect.KVServiceBatchGetProcedure: {
			encode(&cairnv1.BatchGetRequest{Keys: [][]byte{[]byte("k"), []byte("none")}, RequireAll: true}),
		},
		cairnv1connect.KVServiceDeleteProcedure: {encode(&cairnv1.DeleteRequest{Key: []byte("none")})},
	}
	for path := range f.g.callees {
		bodies[path] = append(bodies[path], garbage)
		if !alwaysNew[path] {
			bodies[path] = append(bodies[path], "")
		}
	}
	for path, bodies := range bodies {
		for _, body := range bodies {
			var got [2]answer
			for i, accept := range []string{"identity", viaConnect} {
				got[i] = f.do("POST", path, body, "Content-Type", "application/proto", "Accept-Encoding", accept,
					"Connect-Protocol-Version", "1", "Connect-Timeout-Ms", "9000")
				got[i].header.Del("Date")
				got[i].header.Del("Content-Length") // connect-go does not tell it if it is large
			}
			if got[0].status != got[1].status || got[0].body != got[1].body ||
				!maps.EqualFunc(got[0].header, got[1].header, slices.Equal) {
				t.Errorf("%s %.20q: directly %.300v\nby connect-go %.300v", path, body, got[0], got[1])
			}
		}
	}
}

// What is not plain is for connect-go.
func TestWhatIsServedDirectly(t *testing.T) {
	g := start(t).g
	const get = cairnv1connect.KVServiceGetProcedure
	for _, c := range []struct {
		want         bool
		method, path string
		body         string
		headers      []string
	}{
		{true, "POST", get, "k", nil},
		{true, "POST", get, "", nil},
		{true, "POST", get, strings.Repeat("k", directBytesMax), nil},
		{true, "POST", get, "k", []string{"Accept-Encoding", "identity"}},
		{true, "POST", get, "k", []string{"Content-Type", "application/proto", "Connect-Protocol-Version", "1"}},
		{true, "POST", get, "k", []string{"Connect-Timeout-Ms", "1"}},
		{false, "POST", get, strings.Repeat("k", directBytesMax+1), nil},
		{false, "GET", get, "", nil},
		{false, "POST", get + "/", "k", nil},
		{false, "POST", cairnv1connect.KVServiceRangeStreamProcedure, "k", nil},
		{false, "POST", cairnv1connect.StreamServiceExchangeProcedure, "k", nil},
		{false, "POST", get, "k", []string{"Content-Type", "application/json"}},
		{false, "POST", get, "k", []string{"Content-Type", "application/proto; charset=utf-8"}},
		{false, "POST", get, "k", []string{"Content-Type", "application/grpc+proto"}},
		{false, "POST", get, "k", []string{"Content-Encoding", "gzip"}},
		{false, "POST", get, "k", []string{"Accept-Encoding", "gzip"}},
		{false, "POST", get, "k", []string{"Connect-Protocol-Version", "2"}},
		{false, "POST", get, "k", []string{"Connect-Timeout-Ms", "0"}},
		{false, "POST", get, "k", []string{"Connect-Timeout-Ms", "-1"}},
		{false, "POST", get, "k", []string{"Connect-Timeout-Ms", "+1"}},
		{false, "POST", get, "k", []string{"Connect-Timeout-Ms", "1e3"}},
		{false, "POST", get, "k", []string{"Connect-Timeout-Ms", "99999999999"}},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/proto")
		for i := 0; i < len(c.headers); i += 2 {
			r.Header.Set(c.headers[i], c.headers[i+1])
		}
		if _, ok := g.directOf(r, c.path); ok != c.want {
			t.Errorf("%s %s %v: directly: %v, want %v", c.method, c.path, c.headers, ok, c.want)
		}
	}
	chunked := httptest.NewRequest("POST", get, strings.NewReader("k"))
	chunked.Header.Set("Content-Type", "application/proto")
	chunked.ContentLength = -1
	if _, ok := g.directOf(chunked, get); ok {
		t.Error("a body of unknown length is served directly")
	}
}

// A request that ends early is not carried out, even if what there is of it could be one.
func TestDirectCallCutShort(t *testing.T) {
	f := start(t)
	conn, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	body, err := proto.Marshal(&cairnv1.SetRequest{Key: []byte("k"), Value: str("v")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Write([]byte("POST " + cairnv1connect.KVServiceSetProcedure + " HTTP/1.1\r\nHost: localhost\r\n" +
		"Content-Type: application/proto\r\nContent-Length: 1000\r\n\r\n" + string(body)))
	if err != nil || conn.(*net.TCPConn).CloseWrite() != nil {
		t.Fatal(err)
	}
	said := make([]byte, 1000)
	n, _ := conn.Read(said)
	if !strings.HasPrefix(string(said[:n]), "HTTP/1.1 4") && !strings.HasPrefix(string(said[:n]), "HTTP/1.1 5") {
		t.Errorf("got %q", said[:n])
	}
	got, err := f.kv.Get(t.Context(), connect.NewRequest(&cairnv1.GetRequest{Key: []byte("k")}))
	if err != nil || got.Msg.GetFound() {
		t.Errorf("%v, %v", got, err)
	}
}

// The deadline of a direct call is that of its header.
func TestDirectCallTimesOut(t *testing.T) {
	f := start(t)
	gate := f.shards.hold("k")
	defer close(gate.open)
	body, err := proto.Marshal(&cairnv1.SetRequest{Key: []byte("k"), Value: str("w")})
	if err != nil {
		t.Fatal(err)
	}
	a := f.do("POST", cairnv1connect.KVServiceSetProcedure, string(body), "Content-Type", "application/proto",
		"Accept-Encoding", "identity", "Connect-Timeout-Ms", "50")
	if !strings.Contains(a.body, `"code":"unknown"`) {
		t.Errorf("got %+v", a)
	}
}
