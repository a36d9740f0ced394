package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

// HEAD answers the headers of GET, and 304 those that a cache needs (RFC 9110, 9.3.2 and 15.4.5).
func TestHeaders(t *testing.T) {
	f := start(t)
	tag := f.do("PUT", "/v1/keys/k?ttl=1h", "hello", "Content-Type", "text/plain").header.Get("ETag")
	for _, headers := range [][]string{nil, {"Accept", contentJSON}, {"Accept", contentLines}, {"If-Match", `"x"`}} {
		for _, path := range []string{"/v1/keys/k", "/v1/keys/none", "/v1/keys", "/v1/ttl?key=k", "/v1/openapi.json"} {
			get, head := f.do("GET", path, "", headers...), f.do("HEAD", path, "", headers...)
			if head.body != "" || head.status != get.status {
				t.Errorf("HEAD %s %v: %+v", path, headers, head)
			}
			for name := range get.header {
				if a, b := get.header.Get(name), head.header.Get(name); a != b && name != "Date" && name != "X-Cairn-Commit-Ts" {
					t.Errorf("%s %v: %s is %q, of HEAD %q", path, headers, name, a, b)
				}
			}
		}
	}
	a := f.do("GET", "/v1/keys/k", "", "If-None-Match", tag)
	for _, name := range []string{"ETag", "Cache-Control", "Expires", "Vary", "Date"} {
		if a.header.Get(name) == "" {
			t.Errorf("304 without %s: %v", name, a.header)
		}
	}
	for _, name := range []string{"Content-Type", "Content-Length"} {
		if a.header.Get(name) != "" {
			t.Errorf("304 with %s: %v", name, a.header)
		}
	}
	if a := f.do("GET", "/v1/keys/none", ""); a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("caches may keep that there is no such key: %v", a.header)
	}
}

// Bare and as JSON a version is two representations, which have a strong tag each. Either of them
// is good for a write.
func TestTagsOfRepresentations(t *testing.T) {
	f := start(t)
	f.set("k", "v")
	bare := f.do("GET", "/v1/keys/k", "").header.Get("ETag")
	asJSON := f.do("GET", "/v1/keys/k", "", "Accept", contentJSON).header.Get("ETag")
	if bare == asJSON || strings.HasPrefix(asJSON, "W/") {
		t.Fatalf("tags %s and %s", bare, asJSON)
	}
	for _, tc := range []struct {
		accept, header, tag string
		status              int
	}{
		{contentJSON, "If-None-Match", asJSON, 304},
		{contentJSON, "If-None-Match", bare, 200},
		{contentJSON, "If-None-Match", `"r0"`, 304},
		{"*/*", "If-None-Match", asJSON, 200},
		{"*/*", "If-None-Match", bare + "," + asJSON, 304},
		{"*/*", "If-Match", asJSON, 412},
	} {
		if a := f.do("GET", "/v1/keys/k", "", "Accept", tc.accept, tc.header, tc.tag); a.status != tc.status {
			t.Errorf("%+v: %d", tc, a.status)
		}
	}
	if a := f.do("PUT", "/v1/keys/k", "w", "If-Match", asJSON); a.status != 200 {
		t.Errorf("%+v", a)
	}
}

// A tag is answered to a PUT only if GET answers the very bytes that were sent (RFC 9110, 9.3.4).
func TestTagOfPut(t *testing.T) {
	f := start(t)
	for _, tc := range []struct {
		kind, body string
		tagged     bool
	}{
		{contentInt, "5", true}, {contentInt, " 5\n", false}, {contentInt, "+5", false},
		{contentFloat, "3.0", true}, {contentFloat, "3", false}, {contentFloat, "nan", false},
		{contentNull, "", true}, {contentNull, "null", false},
		{contentJSON, ` {"a":1}`, true}, {"image/png", "\x89PNG", true}, {"text/plain", "x", true},
	} {
		put := f.do("PUT", "/v1/keys/k", tc.body, "Content-Type", tc.kind)
		get := f.do("GET", "/v1/keys/k", "")
		want := ""
		if tc.tagged {
			want = get.header.Get("ETag")
		}
		if put.status/100 != 2 || put.header.Get("ETag") != want || (get.body == tc.body) != tc.tagged ||
			put.header.Get("X-Cairn-Revision") != get.header.Get("X-Cairn-Revision") {
			t.Errorf("%+v: %v, then %q", tc, put.header, get.body)
		}
	}
}

// Lists of tags and both headers at once hold or do not hold as a whole.
func TestConditionLists(t *testing.T) {
	f := start(t)
	step := func(status int, method string, headers ...string) answer {
		t.Helper()
		a := f.do(method, "/v1/keys/k?return_prev", "v", headers...)
		if a.status != status {
			t.Errorf("%s %v: %+v, want %d", method, headers, a, status)
		}
		return a
	}
	step(412, "PUT", "If-Match", `"r0","r1"`)
	step(412, "PUT", "If-Match", "*", "If-None-Match", "*")
	step(404, "DELETE", "If-Match", `"r0","r1"`)
	step(201, "PUT", "If-None-Match", `"r0"`, "If-Unmodified-Since", "Mon, 01 Jan 2035 00:00:00 GMT", "If-Match", `"r-1"`)
	tag := step(412, "PUT", "If-None-Match", `"r0"`).header.Get("ETag")
	a := step(200, "PUT", "If-Match", `"x", W/"r0", `+tag, "If-Match", `"r9"`)
	if !strings.Contains(a.body, `"prev":{"key":"k",`) || !strings.Contains(a.body, `"prev_revision":0`) {
		t.Errorf("%+v", a)
	}
	step(412, "PUT", "If-Match", tag+`, "r0"`)
	step(200, "PUT", "If-Match", "*", "If-None-Match", tag)
	step(412, "PUT", "If-Match", "*", "If-None-Match", `"r2"`)
	step(200, "PUT", "If-None-Match", `"of another", "server"`)
	step(412, "DELETE", "If-None-Match", `W/"r3"`)
	a = step(412, "DELETE", "If-Match", `"r1","r2"`)
	if a.header.Get("ETag") == "" || !strings.Contains(a.body, `"deleted":false,"revision":3`) {
		t.Errorf("%+v", a)
	}
	a = step(200, "DELETE", "If-Match", `"r3","r2"`, "If-None-Match", tag, requestHeader, "once")
	again := step(200, "DELETE", "If-Match", `"r3","r2"`, "If-None-Match", tag, requestHeader, "once")
	if a.body != again.body || a.header.Get("ETag") != "" {
		t.Errorf("%+v, again %+v", a, again)
	}
}

func TestPutOptions(t *testing.T) {
	f := start(t)
	f.do("PUT", "/v1/keys/k?ttl=1h", "v0")
	expires := f.do("GET", "/v1/keys/k", "").header.Get("Expires")
	f.do("PUT", "/v1/keys/k?keep_ttl", "v1")
	if a := f.do("GET", "/v1/keys/k", ""); a.body != "v1" || a.header.Get("Expires") != expires || expires == "" {
		t.Errorf("keep_ttl: %+v", a)
	}
	a := f.do("PUT", "/v1/keys/k?return_prev=true&no_history=1", "v2")
	if !strings.Contains(a.body, `"prev":{"key":"k","type":"bytes","value":"v1","revision":1,`) {
		t.Errorf("return_prev: %+v", a)
	}
	if a := f.do("DELETE", "/v1/keys/k?return_prev", ""); !strings.Contains(a.body, `"value":"v2"`) {
		t.Errorf("return_prev: %+v", a)
	}
	if a := f.do("PUT", "/v1/keys/k?keep_ttl=false&ttl=0", "v"); a.status != 201 {
		t.Errorf("%+v", a)
	}
}

// What must stop in the middle says so in its last line, and the connection does not end well.
func TestStreamIsCut(t *testing.T) {
	f := start(t)
	const entries = 8 // two or three fit a piece
	for i := range entries {
		f.set(fmt.Sprintf("k%d", i), strings.Repeat("x", txn.ValueBytesMax/2))
	}
	for _, client := range []*http.Client{f.plain, f.h2} {
		reads := 0
		f.shards.collected = func() txn.Timestamp {
			reads++
			return txn.Timestamp(reads / 2) // the first piece can still be read
		}
		req, err := http.NewRequestWithContext(t.Context(), "GET", f.url+"/v1/keys", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", contentLines)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		last := answer{body: lines[len(lines)-1]}
		if err == nil || errors.Is(err, io.EOF) || resp.StatusCode != 200 || len(lines) < 2 || len(lines) > entries {
			t.Errorf("%s: %d lines, then %v", resp.Proto, len(lines), err)
		} else if got := last.reason(t); got != "history_gone" {
			t.Errorf("%s: the last line is %.200s", resp.Proto, last.body)
		}
		f.shards.collected = nil
	}
	a := f.do("GET", "/v1/keys", "", "Accept", contentLines)
	if n := strings.Count(a.body, "\n"); a.status != 200 || n != entries {
		t.Errorf("%d lines", n)
	}
}

func TestListingOptions(t *testing.T) {
	f := start(t)
	for _, key := range []string{"a/1", "a/2", "a/b/1", "c", "\xff"} {
		f.set(key, "v")
	}
	for query, want := range map[string]string{
		"bucket=a": "a/1 a/2", "prefix=a/": "a/1 a/2 a/b/1", "glob=*1": "a/1 a/b/1", "prefix=a&glob=a/?": "a/1 a/2",
		"start=a/2&end=c": "a/2 a/b/1", "end=b&reverse": "a/b/1 a/2 a/1", "start=%FF": "/w==",
		"prefix=": "a/1 a/2 a/b/1 c /w==",
	} {
		for _, accept := range []string{contentJSON, contentLines} {
			a := f.do("GET", "/v1/keys?keys_only&"+query, "", "Accept", accept)
			var keys []string
			for _, part := range strings.Split(a.body, `{"key":"`)[1:] {
				key, _, _ := strings.Cut(part, `"`)
				keys = append(keys, key)
			}
			if got := strings.Join(keys, " "); got != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
	}
	for _, accept := range []string{contentJSON, contentLines} {
		a := f.do("GET", "/v1/keys?count_only&glob=a*", "", "Accept", accept)
		if !strings.HasPrefix(a.body, `{"entries":[],"count":3,`) {
			t.Errorf("count: %+v", a)
		}
	}
	both := contentLines + ";q=0.5, " + contentJSON
	if a := f.do("GET", "/v1/keys", "", "Accept", both); a.header.Get("Content-Type") != contentJSON {
		t.Errorf("%v", a.header)
	}
}

// The headers of a write, or its body, say who and why.
func TestHistoryOverHTTP(t *testing.T) {
	f := start(t)
	f.do("PUT", "/v1/keys/k", "1", "Content-Type", contentInt, principalHeader, "ann", messageHeader, "h%C3%A4")
	f.do("PUT", "/v1/keys/k", "2", "Content-Type", contentInt, "If-Match", `"r0","r7"`, messageHeader, "in a transaction")
	f.post("/increment", `{"key":"k","by":1,"message":"100%"}`, principalHeader, "bob")
	f.post("/extend", `{"key":"k","ttl_ms":60000}`)
	f.do("DELETE", "/v1/keys/k", "", messageHeader, "enough")
	var got []string
	path := "/v1/history?key=k&limit=2"
	for next := path; next != ""; {
		a := f.do("GET", next, "")
		var page struct {
			Entries []struct {
				Operation, Principal, Message string
				Revision                      int64
				Value                         json.RawMessage
			}
			Cursor string
		}
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 {
			t.Fatalf("%v: %+v", err, a)
		}
		for _, e := range page.Entries {
			got = append(got, fmt.Sprintf("%s r%d %s %s %s", e.Operation, e.Revision, e.Value, e.Principal, e.Message))
		}
		if next = ""; page.Cursor != "" {
			next = path + "&cursor=" + page.Cursor
		}
	}
	want := "delete r3   enough;extend r2 3  ;set r2 3 bob 100%;set r1 2  in a transaction;set r0 1 ann hä"
	if s := strings.Join(got, ";"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// Ephemeral keys are another namespace, and say what they are not for.
func TestEphemeralOverHTTP(t *testing.T) {
	f := start(t)
	f.set("k", "kept")
	const path = "/v1/keys/k?durability=ephemeral"
	if a := f.do("PUT", path+"&ttl=1h", "lost", "If-None-Match", "*"); a.status != 201 {
		t.Fatalf("%+v", a)
	}
	if a := f.do("PUT", path, "x", "If-None-Match", "*"); a.status != 412 {
		t.Errorf("%+v", a)
	}
	get := f.do("GET", path, "")
	if get.body != "lost" || get.header.Get("Expires") == "" || f.do("GET", "/v1/keys/k", "").body != "kept" {
		t.Errorf("%+v", get)
	}
	if a := f.post("/increment", `{"key":"n","by":2,"durability":"ephemeral"}`); !strings.Contains(a.body, `"value":2`) {
		t.Errorf("%+v", a)
	}
	if a := f.do("GET", "/v1/ttl?key=n&durability=ephemeral", ""); !strings.HasPrefix(a.body, `{"ttl_ms":0,"revision":0`) {
		t.Errorf("%+v", a)
	}
	if a := f.do("GET", "/v1/ttl?key=n", ""); !strings.HasPrefix(a.body, `{"ttl_ms":-1,`) {
		t.Errorf("%+v", a)
	}
	for _, a := range []answer{
		f.do("GET", path+"&as_of=1", ""),
		f.do("PUT", path, "x", requestHeader, "once"),
		f.post("/txn", `{"then":[{"increment":{"key":"n","by":2,"durability":"ephemeral"}}]}`),
	} {
		if a.status != 400 || a.reason(t) != reasonEphemeral {
			t.Errorf("%+v", a)
		}
	}
	if a := f.do("DELETE", path, "", "If-Match", get.header.Get("ETag")); a.status != 200 {
		t.Errorf("%+v", a)
	}
}
