package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (a answer) reason(t *testing.T) string {
	t.Helper()
	var e jsonError
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Error.Kind == "" {
		t.Fatalf("status %d with body %q is no error", a.status, a.body)
	}
	return e.Error.Reason
}

func TestKeyEndpoint(t *testing.T) {
	f := start(t)
	put := f.do("PUT", "/v1/keys/a/b", "hello", "Content-Type", "text/plain")
	if put.status != http.StatusCreated || put.header.Get("X-Cairn-Revision") != "0" {
		t.Fatalf("put: %+v", put)
	}
	get := f.do("GET", "/v1/keys/a/b", "")
	if get.status != 200 || get.body != "hello" || get.header.Get("X-Cairn-Type") != "string" ||
		get.header.Get("ETag") != put.header.Get("ETag") ||
		get.header.Get("X-Cairn-Commit-Ts") != put.header.Get("X-Cairn-Commit-Ts") ||
		get.header.Get("ETag") != `"r0-`+get.header.Get("X-Cairn-Commit-Ts")+`"` ||
		get.header.Get("Expires") != "" {
		t.Errorf("get: %+v", get)
	}
	for h := range get.header {
		if strings.HasPrefix(h, "Access-Control") {
			t.Errorf("a CORS header: %s", h)
		}
	}
	head := f.do("HEAD", "/v1/keys/a/b", "")
	if head.status != 200 || head.body != "" || head.header.Get("ETag") != get.header.Get("ETag") ||
		head.header.Get("Content-Length") != "5" {
		t.Errorf("head: %+v", head)
	}
	missing := f.do("GET", "/v1/keys/a/c", "")
	if missing.status != 404 || missing.body != `{"found":false,"key":"a/c","revision":-1}`+"\n" {
		t.Errorf("missing: %+v", missing)
	}
	if head := f.do("HEAD", "/v1/keys/a/c", ""); head.status != 404 || head.body != "" {
		t.Errorf("head of a missing key: %+v", head)
	}
	same := f.do("GET", "/v1/keyspaces/default/keys/a/b", "")
	if same.status != 200 || same.body != "hello" {
		t.Errorf("by keyspace: %+v", same)
	}
	del := f.do("DELETE", "/v1/keys/a/b", "")
	if del.status != 200 || !strings.Contains(del.body, `"deleted":true,"revision":1,"prev_revision":0`) {
		t.Errorf("delete: %+v", del)
	}
	if del := f.do("DELETE", "/v1/keys/a/b", ""); del.status != 404 {
		t.Errorf("delete again: %+v", del)
	}
	old := f.do("GET", "/v1/keys/a/b?revision=0", "")
	if old.status != 200 || old.body != "hello" {
		t.Errorf("revision 0: %+v", old)
	}
	for _, asOf := range []string{
		put.header.Get("X-Cairn-Commit-Ts"),
		url.QueryEscape(microTime(t, put.header.Get("X-Cairn-Commit-Ts"))),
		microTime(t, put.header.Get("X-Cairn-Commit-Ts")),
	} {
		if past := f.do("GET", "/v1/keys/a/b?as_of="+asOf, ""); past.status != 200 || past.body != "hello" {
			t.Errorf("as of %s: %+v", asOf, past)
		}
	}
}

// microTime writes microseconds as RFC 3339 with an offset, whose + is often left unescaped.
func microTime(t *testing.T, micros string) string {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(micros, &n); err != nil {
		t.Fatal(err)
	}
	return time.UnixMicro(n).In(time.FixedZone("", 7200)).Format(time.RFC3339Nano)
}

func TestKeysOfAllShapes(t *testing.T) {
	f := start(t)
	for path, key := range map[string]string{
		"a//b":                                 "a//b",
		"a/../b":                               "a/../b",
		"../x":                                 "../x",
		"..":                                   "..",
		".":                                    ".",
		"./a":                                  "./a",
		"a/%2e%2e/b":                           "a/../b",
		"%2F":                                  "/",
		"/":                                    "/",
		"a%2Fb":                                "a/b",
		"%00":                                  "\x00",
		"%ff":                                  "\xff",
		"a%2520b":                              "a%20b",
		"a%20b":                                "a b",
		"a+b":                                  "a+b",
		"a%3Fb=c":                              "a?b=c",
		"a;b":                                  "a;b",
		"keys/":                                "keys/",
		"h%C3%A4user":                          "häuser",
		strings.Repeat("%41", txn.KeyBytesMax): strings.Repeat("A", txn.KeyBytesMax),
	} {
		if a := f.do("PUT", "/v1/keys/"+path, path); a.status/100 != 2 {
			t.Errorf("put %.40q: %+v", path, a)
			continue
		}
		got, err := f.g.get(t.Context(), &cairnv1.GetRequest{Key: []byte(key)})
		if err != nil || string(got.GetValue().GetBytesValue()) != path {
			t.Errorf("%.40q is not key %.40q: %v", path, key, err)
		}
		if a := f.do("GET", "/v1/keys/"+path, ""); a.status != 200 || a.body != path {
			t.Errorf("get %.40q: %d %.80q", path, a.status, a.body)
		}
	}
}

func TestHTTPRefusals(t *testing.T) {
	f := start(t)
	f.set("k", "v")
	big := strings.Repeat("x", txn.ValueBytesMax+1)
	for _, tc := range []struct {
		method, path, body string
		headers            []string
		status             int
		reason             string
	}{
		{"GET", "/v1/keys/", "", nil, 400, "key_empty"},
		{"PUT", "/v1/keys/" + strings.Repeat("k", txn.KeyBytesMax+1), "", nil, 400, "key_too_long"},
		{"GET", "/v1/keyspaces/other/keys/k", "", nil, 404, "keyspace_not_found"},
		{"GET", "/v1/keyspaces/b@d/keys/k", "", nil, 400, "keyspace_name"},
		{"GET", "/v1/keyspaces//keys/k", "", nil, 400, "keyspace_empty"},
		{"GET", "/v1/nothing", "", nil, 404, "path_unknown"},
		{"GET", "/nothing", "", nil, 404, "path_unknown"},
		{"GET", "/debug/pprof/", "", nil, 404, "path_unknown"},
		{"POST", "/v1/keys/k", "", nil, 405, "method_not_allowed"},
		{"DELETE", "/v1/keys", "", nil, 405, "method_not_allowed"},
		{"GET", "/v1/keys/k?revison=1", "", nil, 400, "parameter_unknown"},
		{"GET", "/v1/keys/k?ttl=1", "", nil, 400, "parameter_unknown"},
		{"GET", "/v1/keys/k?revision=1&revision=2", "", nil, 400, "parameter_repeated"},
		{"GET", "/v1/keys/k?revision=x", "", nil, 400, "parameter_invalid"},
		{"GET", "/v1/keys/k?as_of=yesterday", "", nil, 400, "parameter_invalid"},
		{"GET", "/v1/keys/k?revision=1&as_of=1", "", nil, 400, "revision_and_as_of"},
		{"GET", "/v1/keys/k?a;b", "", nil, 400, "query_invalid"},
		{"GET", "/v1/keys/k", "", []string{"If-None-Match", "r1"}, 400, "condition_invalid"},
		{"PUT", "/v1/keys/k", big, nil, 413, reasonBodyTooLarge},
		{"PUT", "/v1/keys/k?ttl=soon", "", nil, 400, "parameter_invalid"},
		{"PUT", "/v1/keys/k?ttl=-1", "", nil, 400, "ttl_negative"},
		{"PUT", "/v1/keys/k?ttl=-5s", "", nil, 400, "ttl_negative"},
		{"PUT", "/v1/keys/k?ttl=5us", "", nil, 400, "parameter_invalid"},
		{"PUT", "/v1/keys/k", "{", []string{"Content-Type", "application/json"}, 400, "value_not_json"},
		{"PUT", "/v1/keys/k", "\xff", []string{"Content-Type", "text/plain"}, 400, "value_not_utf8"},
		{"PUT", "/v1/keys/k", "x", []string{"Content-Type", "text/plain; charset=latin1"}, 415, reasonEncoding},
		{"PUT", "/v1/keys/k", "x", []string{"Content-Type", "/"}, 400, "content_type_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"Content-Type", contentInt}, 400, "value_invalid"},
		{"PUT", "/v1/keys/k", "9223372036854775808", []string{"Content-Type", contentInt}, 400, "value_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"Content-Type", contentFloat}, 400, "value_invalid"},
		{"PUT", "/v1/keys/k", "1", []string{"Content-Type", contentBool}, 400, "value_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"Content-Type", contentNull}, 400, "value_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"Content-Encoding", "gzip"}, 415, reasonEncoding},
		{"PUT", "/v1/keys/k", "x", []string{"Content-Range", "bytes 0-0/9"}, 400, "condition_unsupported"},
		{"PUT", "/v1/keys/k", "x", []string{"If-Match", "r1"}, 400, "condition_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"If-Match", `"r1`}, 400, "condition_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"If-Match", `"r1"x`}, 400, "condition_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"If-Match", `*, "r1"`}, 400, "condition_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"If-Match", ","}, 400, "condition_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"If-None-Match", `w/"r1"`}, 400, "condition_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"If-Unmodified-Since", "x"}, 400, "condition_unsupported"},
		{"DELETE", "/v1/keys/k", "", []string{"If-Unmodified-Since", "x"}, 400, "condition_unsupported"},
		{"PUT", "/v1/keys/k?durability=forever", "", nil, 400, "durability_invalid"},
		{"PUT", "/v1/keys/k?durability=ephemeral", "", []string{"If-Match", `"r1", "r2"`}, 400, "condition_unsupported"},
		{"DELETE", "/v1/keys/k?durability=ephemeral", "", []string{"If-Match", `"x"`}, 400, "condition_unsupported"},
		{"PUT", "/v1/keys/k?ttl=1s&keep_ttl", "", nil, 400, "ttl_and_keep_ttl"},
		{"PUT", "/v1/keys/k?keep_ttl=maybe", "", nil, 400, "parameter_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{"X-Cairn-Request-Id", ""}, 400, "request_id_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{messageHeader, "100%"}, 400, "message_escape_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{messageHeader, "%ff"}, 400, "message_escape_invalid"},
		{"PUT", "/v1/keys/k", "x", []string{messageHeader, "a", messageHeader, "b"}, 400, "message_invalid"},
		{"DELETE", "/v1/keys/k?ttl=1", "", nil, 400, "parameter_unknown"},
		{"GET", "/v1/keys?limit=-1", "", nil, 400, "limit_negative"},
		{"GET", "/v1/keys?limit=x", "", nil, 400, "parameter_invalid"},
		{"GET", "/v1/keys?reverse=maybe", "", nil, 400, "parameter_invalid"},
		{"GET", "/v1/keys?prefix=a&start=b", "", nil, 400, "selection_ambiguous"},
		{"GET", "/v1/keys?bucket=a&prefix=a", "", nil, 400, "selection_ambiguous"},
		{"GET", "/v1/keys?count_only&limit=3", "", nil, 400, "count_with_limit"},
		{"GET", "/v1/keys?start=b&end=a", "", nil, 400, "start_after_end"},
		{"GET", "/v1/keys?cursor=AAAA", "", nil, 400, reasonCursor},
		{"GET", "/v1/keys?cursor=!", "", nil, 400, reasonCursor},
		{"GET", "/v1/keys?colour=red", "", nil, 400, "parameter_unknown"},
		{"GET", "/v1/keys?limit=-1", "", []string{"Accept", contentLines}, 400, "limit_negative"},
		{"GET", "/v1/keys/k", "", []string{"Host", "evil.example"}, 403, "host_refused"},
		{"GET", "/", "", []string{"Host", "127.0.0.1.evil.example:7600"}, 403, "host_refused"},
	} {
		a := f.do(tc.method, tc.path, tc.body, tc.headers...)
		if got := a.reason(t); a.status != tc.status || got != tc.reason {
			t.Errorf("%s %.60s %v: %d %s, want %d %s", tc.method, tc.path, tc.headers, a.status, got,
				tc.status, tc.reason)
		}
	}
}

func TestConditionHeaders(t *testing.T) {
	f := start(t)
	tag := f.do("PUT", "/v1/keys/k", "v0").header.Get("ETag")
	for _, tc := range []struct {
		method, header, value string
		status                int
	}{
		{"GET", "If-None-Match", tag, 304},
		{"GET", "If-None-Match", "W/" + tag, 304},
		{"GET", "If-None-Match", `"x", ` + tag, 304},
		{"GET", "If-None-Match", `"r0"`, 304},
		{"GET", "If-None-Match", "*", 304},
		{"GET", "If-None-Match", `"r1"`, 200},
		{"GET", "If-None-Match", `"r0-1"`, 200},
		{"GET", "If-None-Match", `"a,b",` + tag, 304},
		{"GET", "If-Match", tag, 200},
		{"GET", "If-Match", "*", 200},
		{"GET", "If-Match", `"r1", "r0"`, 200},
		{"GET", "If-Match", "W/" + tag, 412},
		{"GET", "If-Match", `"x"`, 412},
		{"HEAD", "If-Match", `"x"`, 412},
		{"GET", "If-Modified-Since", "Mon, 01 Jan 2035 00:00:00 GMT", 200},
		{"HEAD", "If-None-Match", tag, 304},
		{"PUT", "If-None-Match", "*", 412},
		{"PUT", "If-Match", `"r7"`, 412},
		{"PUT", "If-Match", `"r0-1"`, 412},
		{"PUT", "If-Match", `"r-1"`, 412},
		{"DELETE", "If-Match", `"r7"`, 412},
		{"PUT", "If-Match", "W/" + tag, 412},
		{"PUT", "If-Match", `"x"`, 412},
		{"PUT", "If-Match", `"r1", "x", "r0-1"`, 412},
		{"PUT", "If-None-Match", tag, 412},
		{"PUT", "If-None-Match", "W/" + tag, 412},
		{"PUT", "If-None-Match", `"r1", "r0"`, 412},
		{"DELETE", "If-Match", `"r0-1"`, 412},
		{"DELETE", "If-Match", `"r1", "r2"`, 412},
		{"DELETE", "If-None-Match", tag, 412},
		{"DELETE", "If-None-Match", "*", 412},
	} {
		a := f.do(tc.method, "/v1/keys/k", "", tc.header, tc.value)
		if a.status != tc.status || a.header.Get("ETag") != tag {
			t.Errorf("%s %s: %s: %d %s, want %d %s", tc.method, tc.header, tc.value, a.status,
				a.header.Get("ETag"), tc.status, tag)
		}
		if a.status == 304 && a.body != "" {
			t.Errorf("304 with a body: %q", a.body)
		}
	}
	step := func(method, path, header, value string, status int) answer {
		t.Helper()
		a := f.do(method, path, "v", header, value)
		if a.status != status {
			t.Errorf("%s %s %s: %s: %+v, want %d", method, path, header, value, a, status)
		}
		return a
	}
	next := step("PUT", "/v1/keys/k", "If-Match", tag, 200).header.Get("ETag")
	step("PUT", "/v1/keys/k", "If-Match", `"r1"`, 200)
	step("PUT", "/v1/keys/k", "If-Match", "*", 200)
	step("PUT", "/v1/keys/k", "If-Match", next, 412)
	step("PUT", "/v1/keys/new", "If-Match", "*", 412)
	step("PUT", "/v1/keys/new", "If-None-Match", "*", 201)
	step("PUT", "/v1/keys/new2", "If-Match", `"r-1"`, 201)
	step("DELETE", "/v1/keys/missing", "If-Match", "*", 404)
	step("DELETE", "/v1/keys/new", "If-Match", `"r0"`, 200)
	gone := step("PUT", "/v1/keys/new", "If-Match", `"r0"`, 412)
	if gone.header.Get("ETag") != "" || !strings.Contains(gone.body, `"set":false,"revision":-1`) {
		t.Errorf("412 of a missing key: %+v", gone)
	}
}

func TestTTLHeaders(t *testing.T) {
	f := start(t)
	for _, ttl := range []string{"30s", "30000", "0.5m"} {
		before := time.Now().UnixMilli()
		f.do("PUT", "/v1/keys/k?ttl="+ttl, "v")
		a := f.do("GET", "/v1/keys/k", "")
		var ms int64
		_, err := fmt.Sscan(a.header.Get("X-Cairn-Expires-At"), &ms)
		if err != nil || ms < before+30_000 || ms > time.Now().UnixMilli()+30_000 {
			t.Errorf("ttl %s: expires at %d", ttl, ms)
		}
		at, err := http.ParseTime(a.header.Get("Expires"))
		if err != nil || at.Unix() != ms/1000 {
			t.Errorf("ttl %s: Expires %v %v", ttl, at, err)
		}
	}
	f.do("PUT", "/v1/keys/k", "v")
	if a := f.do("GET", "/v1/keys/k", ""); a.header.Get("Expires") != "" {
		t.Error("a set without a TTL keeps the old one")
	}
}

func TestContentTypes(t *testing.T) {
	f := start(t)
	for _, tc := range []struct{ sent, body, kind, back, text string }{
		{"", "\x00\xff", "bytes", contentBytes, "\x00\xff"},
		{"application/x-www-form-urlencoded", "a=b", "bytes", contentBytes, "a=b"},
		{"text/plain", "häuser", "string", contentText, "häuser"},
		{"text/plain; charset=UTF-8", "x", "string", contentText, "x"},
		{"application/json", ` {"a": 1e400}`, "json", contentJSON, ` {"a": 1e400}`},
		{contentInt, "9007199254740993", "int", contentInt, "9007199254740993"},
		{contentInt, " -1\n", "int", contentInt, "-1"},
		{contentFloat, "3", "float", contentFloat, "3.0"},
		{contentFloat, "1e300", "float", contentFloat, "1e+300"},
		{contentFloat, "NaN", "float", contentFloat, "NaN"},
		{contentFloat, "-Infinity", "float", contentFloat, "-Infinity"},
		{contentBool, "true", "bool", contentBool, "true"},
		{contentNull, "null", "null", contentNull, ""},
	} {
		for range 2 { // what comes back can be sent again
			if a := f.do("PUT", "/v1/keys/k", tc.body, "Content-Type", tc.sent); a.status/100 != 2 {
				t.Fatalf("%s %q: %+v", tc.sent, tc.body, a)
			}
			a := f.do("GET", "/v1/keys/k", "")
			if a.body != tc.text || a.header.Get("Content-Type") != tc.back || a.header.Get("X-Cairn-Type") != tc.kind {
				t.Errorf("%s %q came back as %q %v", tc.sent, tc.body, a.body, a.header)
			}
			tc.sent, tc.body = a.header.Get("Content-Type"), a.body
		}
	}
}

func TestJSONMapping(t *testing.T) {
	for _, tc := range []struct {
		key   string
		value *cairnv1.Value
		want  string
	}{
		{"k", str("<häuser>\n"), `{"key":"k","type":"string","value":"<häuser>\n",`},
		{"\xff", str(""), `{"key":"/w==","key_encoding":"base64","type":"string","value":"",`},
		{"k", &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: []byte("text")}},
			`{"key":"k","type":"bytes","value":"text",`},
		{"k", &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: []byte{0xff, 0}}},
			`{"key":"k","type":"bytes","value":"/wA=","encoding":"base64",`},
		{"k", &cairnv1.Value{Kind: &cairnv1.Value_IntValue{IntValue: math.MinInt64}},
			`{"key":"k","type":"int","value":-9223372036854775808,`},
		{"k", &cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: 3}}, `{"key":"k","type":"float","value":3.0,`},
		{"k", &cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: math.NaN()}},
			`{"key":"k","type":"float","value":"NaN",`},
		{"k", &cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: math.Inf(-1)}},
			`{"key":"k","type":"float","value":"-Infinity",`},
		{"k", &cairnv1.Value{Kind: &cairnv1.Value_BoolValue{BoolValue: true}}, `{"key":"k","type":"bool","value":true,`},
		{"k", &cairnv1.Value{Kind: &cairnv1.Value_NullValue{}}, `{"key":"k","type":"null","value":null,`},
		{"k", &cairnv1.Value{Kind: &cairnv1.Value_JsonValue{JsonValue: "{\"n\":\n 12345678901234567890.10}"}},
			`{"key":"k","type":"json","value":{"n":12345678901234567890.10},`},
		{"k", nil, `{"key":"k",`},
	} {
		e := &cairnv1.Entry{Key: []byte(tc.key), Value: tc.value, Revision: 3, CommitTs: 1<<53 - 1, CreateTs: 5}
		want := tc.want + `"revision":3,"commit_ts":9007199254740991,"create_ts":5,"expires_at":0}`
		if got := string(encodeJSON(jsonEntryOf(e))); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestAcceptJSON(t *testing.T) {
	f := start(t)
	f.set("k", "v")
	for accept, want := range map[string]bool{
		"application/json": true, "text/html, application/json;q=0.5": true,
		"application/json;q=0": false, "*/*": false, "": false, "application/*": false,
		"application/json;q=0.5, */*": false, "application/json;q=0.5, */*;q=0.5": true,
		"application/json, text/plain, */*": true, "text/plain, application/json;q=0.9": false,
		"text/plain;q=0, application/json;q=0.001": true, "APPLICATION/JSON; charset=utf-8": true,
		"text/*;q=0.3, application/json;q=0.4": true, "text/html, nonsense, application/json": true,
	} {
		a := f.do("GET", "/v1/keys/k", "", "Accept", accept)
		if got := strings.HasPrefix(a.body, `{"found":true,"key":"k","type":"string","value":"v","revision":0`); got != want {
			t.Errorf("Accept %q: %s", accept, a.body)
		}
	}
}

func TestListing(t *testing.T) {
	f := start(t)
	for i := range 5 {
		f.set(fmt.Sprintf("p/%d", i), fmt.Sprint(i))
	}
	f.set("q", "")
	var keys []string
	path := "/v1/keys?prefix=p/&limit=2&reverse"
	pages := 0
	for next := path; next != ""; pages++ {
		a := f.do("GET", next, "")
		var l listing
		if err := json.Unmarshal([]byte(a.body), &l); err != nil || a.status != 200 || int(l.Count) != len(l.Entries) {
			t.Fatalf("%v: %+v", err, a)
		}
		for _, e := range l.Entries {
			keys = append(keys, e.Key+"="+string(e.Value))
		}
		if next = ""; l.Cursor != "" {
			next = path + "&cursor=" + l.Cursor
		}
	}
	if got := strings.Join(keys, " "); pages != 3 || got != `p/4="4" p/3="3" p/2="2" p/1="1" p/0="0"` {
		t.Errorf("%d pages: %s", pages, got)
	}
	a := f.do("GET", "/v1/keys?start=p/3&keys_only=true", "")
	if strings.Contains(a.body, `"value"`) || strings.Count(a.body, `"key"`) != 3 {
		t.Errorf("keys only: %s", a.body)
	}
	a = f.do("GET", "/v1/keyspaces/default/keys?prefix=x", "")
	if !strings.HasPrefix(a.body, `{"entries":[],"count":0,`) {
		t.Errorf("none: %s", a.body)
	}
	lines := f.do("GET", "/v1/keys", "", "Accept", contentLines)
	n := 0
	for s := bufio.NewScanner(strings.NewReader(lines.body)); s.Scan(); n++ {
		var e jsonEntry
		if err := json.Unmarshal(s.Bytes(), &e); err != nil || e.Key == "" {
			t.Errorf("line %q: %v", s.Text(), err)
		}
	}
	if n != 6 || lines.header.Get("Content-Type") != contentLines || lines.header.Get("X-Cairn-Commit-Ts") == "" {
		t.Errorf("%d lines: %v", n, lines.header)
	}
	if a := f.do("GET", "/v1/keys?limit=4", "", "Accept", contentLines); strings.Count(a.body, "\n") != 4 {
		t.Errorf("limit 4: %q", a.body)
	}
}

func TestBodyWithoutLength(t *testing.T) {
	f := start(t)
	for size, want := range map[int]int{txn.ValueBytesMax: 201, txn.ValueBytesMax + 1: 413} {
		r := httptest.NewRequest(http.MethodPut, fmt.Sprintf("http://localhost/v1/keys/k%d", size),
			strings.NewReader(strings.Repeat("x", size)))
		r.ContentLength = -1
		w := httptest.NewRecorder()
		f.g.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%d bytes: %d, want %d", size, w.Code, want)
		}
	}
}

func TestTags(t *testing.T) {
	for s, want := range map[string]parsedTag{
		`"r7"`: {revision: 7}, `"r7-5"`: {revision: 7, commitTS: 5}, `"r-1"`: {revision: -1},
		`"r0-9007199254740991"`: {commitTS: 1<<53 - 1}, `W/"r7"`: {revision: 7, weak: true},
		`"r7-5-json"`: {revision: 7, commitTS: 5, json: true},
	} {
		if got, ok := parseTag(s); !ok || got != want {
			t.Errorf("%s: %v %v", s, got, ok)
		}
	}
	for _, s := range []string{
		"", `"`, `"r"`, "r7", `"r7`, `"7"`, `"r7-"`, `"r7-0"`, `"r7--1"`, `"r-2"`, `"r-1-5"`, `"r--1"`, `"r+1"`,
		`"r7-5-6"`, `"r99999999999999999999"`, `w/"r7"`, `"r7-json"`, `"r7-5-jsonx"`, `"r7-5-json-json"`,
	} {
		if got, ok := parseTag(s); ok {
			t.Errorf("%s is taken for %v", s, got)
		}
	}
}
