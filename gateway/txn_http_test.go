package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func (a answer) txn(t *testing.T) (out struct {
	Succeeded bool
	CommitTS  int64 `json:"commit_ts"`
	Results   []map[string]map[string]any
}) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 {
		t.Fatalf("%v: %+v", err, a)
	}
	return out
}

// Each condition decides as it should, alone and within others.
func TestTxnConditions(t *testing.T) {
	f := start(t)
	for _, key := range []string{"p/1", "p/2"} {
		f.set(key, "m")
	}
	at := f.set("k", "b").CommitTs
	f.set("p/3", "m")
	for test, want := range map[string]bool{
		`{"compare":{"key":"k","value":"b"}}`:                                                   true,
		`{"compare":{"key":"aw==","key_encoding":"base64","value":"Yg==","encoding":"base64"}}`: true,
		`{"compare":{"key":"k","op":"not_equal","value":"b"}}`:                                  false,
		`{"compare":{"key":"k","op":"less","value":"c"}}`:                                       true,
		`{"compare":{"key":"k","op":"less_or_equal","value":"a"}}`:                              false,
		`{"compare":{"key":"k","op":"greater","value":"a"}}`:                                    true,
		`{"compare":{"key":"k","op":"greater_or_equal","value":"c"}}`:                           false,
		`{"compare":{"key":"k","revision":0}}`:                                                  true,
		`{"compare":{"key":"k","op":"greater","revision":0}}`:                                   false,
		`{"compare":{"key":"none","revision":-1}}`:                                              true,
		`{"compare":{"key":"k","exists":false}}`:                                                false,
		fmt.Sprintf(`{"compare":{"key":"k","commit_ts":%d}}`, at):                               true,
		fmt.Sprintf(`{"compare":{"key":"k","op":"less","create_ts":%d}}`, at):                   false,
		`{"count":{"prefix":"p/","n":3}}`:                                                       true,
		`{"count":{"start":"p/2","op":"greater","n":2}}`:                                        false,
		fmt.Sprintf(`{"unchanged":{"prefix":"k","since":%d}}`, at):                              true,
		fmt.Sprintf(`{"unchanged":{"prefix":"p/","since":%d}}`, at):                             false,
		`{"all":[]}`: true,
		`{"any":[]}`: false,
		`{"not":{"any":[{"compare":{"key":"k","exists":false}},{"compare":{"key":"k","value":1}}]}}`: true,
		`{"all":[{"compare":{"key":"k","exists":true}},{"not":{"all":[]}}]}`:                         false,
		`{"compare":{"key":"k","exists":true},"keyspace":"default"}`:                                 true,
	} {
		a := f.post("/txn", `{"if":[`+test+`],"then":[{"exists":{"key":"k"}}],"else":[{"get":{"key":"k"}}]}`).txn(t)
		name := map[bool]string{true: "exists", false: "get"}[want]
		if a.Succeeded != want || len(a.Results) != 1 || a.Results[0][name] == nil {
			t.Errorf("%s: %+v", test, a)
		}
	}
}

// A transaction sees what it wrote, all of it has one time, and a repeat of it happens once.
func TestTxnOverHTTP(t *testing.T) {
	f := start(t)
	body := `{"request_id":"once","then":[
		{"set":{"key":"a","value":{"x":[1]},"ttl_ms":60000}},
		{"increment":{"key":"n","by":9007199254740993}},
		{"get":{"key":"a"}},
		{"append":{"key":"log","value":"x"}},
		{"delete":{"key":"none"}},
		{"range":{"prefix":"","keys_only":true,"limit":2}},
		{"ttl":{"key":"n"}}]}`
	first := f.do("POST", "/v1/keyspaces/default/txn", body, "Content-Type", contentJSON)
	out := first.txn(t)
	if !out.Succeeded || len(out.Results) != 7 || out.Results[2]["get"]["revision"] != 0.0 ||
		out.Results[4]["delete"]["deleted"] != false || out.Results[6]["ttl"]["ttl_ms"] != 0.0 ||
		!strings.Contains(first.body, `"type":"json","value":{"x":[1]}`) ||
		!strings.Contains(first.body, `"value":9007199254740993`) {
		t.Errorf("%+v", first)
	}
	if again := f.post("/txn", body); again.body != first.body {
		t.Errorf("%s, again %s", first.body, again.body)
	}
	if n := f.do("GET", "/v1/keys/n", "").body; n != "9007199254740993" {
		t.Errorf("it happened twice: %s", n)
	}
	ts := fmt.Sprint(out.CommitTS)
	for _, key := range []string{"a", "n", "log"} {
		if a := f.do("GET", "/v1/keys/"+key, ""); a.header.Get("X-Cairn-Commit-Ts") != ts {
			t.Errorf("%s: %+v", key, a)
		}
	}
	other := strings.Replace(body, "60000", "60001", 1)
	if a := f.post("/txn", other); a.status != 400 || a.reason(t) != "request_id_reused" {
		t.Errorf("%+v", a)
	}
	if a := f.do("POST", "/v1/keyspaces/none/txn", body, "Content-Type", contentJSON); a.status != 404 {
		t.Errorf("%+v", a)
	}
}
