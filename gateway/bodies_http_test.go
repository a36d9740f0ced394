package gateway

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// post sends a JSON body.
func (f *fixture) post(path, body string, headers ...string) answer {
	f.Helper()
	return f.do("POST", "/v1"+path, body, append(headers, "Content-Type", contentJSON)...)
}

// Whatever is wrong with a body is refused with the name of what is wrong.
func TestBodyRefusals(t *testing.T) {
	f := start(t)
	for _, tc := range []struct{ path, body, reason, names string }{
		{"/increment", `{"key":"k","by":1,"colour":2}`, reasonBody, `"/colour"`},
		{"/increment", `{"Key":"k","by":1}`, reasonBody, `"/Key"`},
		{"/increment", `{"key":"k","by":1,"by":2}`, reasonBody, `"/by"`},
		{"/increment", `{"key":"k","by":1} {}`, reasonBody, `after top-level value`},
		{"/increment", `{"key":"k","by":1`, reasonBody, `unexpected EOF`},
		{"/increment", ``, reasonBody, `EOF`},
		{"/increment", `[]`, reasonBody, `array`},
		{"/increment", `null`, reasonBody, `the body: null`},
		{"/batch/set", `{"items":[null]}`, reasonBody, `"/items/0": null`},
		{"/increment", `{"key":7,"by":1}`, reasonBody, `"/key": a JSON number`},
		{"/increment", `{"key":"\ud800","by":1}`, reasonBody, `surrogate`},
		{"/increment", "{\"key\":\"\xff\",\"by\":1}", reasonBody, `UTF-8`},
		{"/increment", `{"key":"k","by":1,"if_revision":null}`, reasonBody, `"/if_revision": null`},
		{"/increment", `{"key":"k","by":1,"if_revision":1.5}`, reasonBody, `"/if_revision"`},
		{"/increment", `{"key":"k","by":1,"if_absent":"yes"}`, reasonBody, `"/if_absent": a JSON string`},
		{"/increment", `{"key":"k","by":1,"ttl_if_new_ms":"30s"}`, reasonBody, `"/ttl_if_new_ms"`},
		{"/increment", `{"key":"k"}`, "value_missing", `by`},
		{"/increment", `{"by":1}`, "key_empty", ``},
		{"/increment", `{"key":"k","by":9223372036854775808}`, "value_invalid", `9223372036854775808`},
		{"/increment", `{"key":"k","by":1e400}`, "value_invalid", `1e400`},
		{"/increment", `{"key":"k","by":"1"}`, "operand_type", ``},
		{"/increment", `{"key":"k","by":1,"type":"int","upper_bound":2.5}`, "value_invalid", `upper_bound`},
		{"/increment", `{"key":"k","by":1,"type":"number"}`, "type_unknown", `number`},
		{"/increment", `{"key":"k","by":1,"request_id":""}`, "request_id_invalid", ``},
		{"/increment", `{"key":"k","by":1,"durability":"for ever"}`, "durability_invalid", `for ever`},
		{"/increment", `{"key":"k","key_encoding":"hex","by":1}`, "encoding_invalid", `hex`},
		{"/increment", `{"key":"/w=","key_encoding":"base64","by":1}`, "encoding_invalid", `key`},
		{"/append", `{"key":"k","value":"x","type":"string","encoding":"base64"}`, "encoding_invalid", `string`},
		{"/append", `{"key":"k","value":1,"encoding":"base64"}`, "value_invalid", `bytes`},
		{"/min", `{"key":"k","value":1,"type":"string"}`, "value_invalid", `string`},
		{"/max", `{"key":"k","value":1,"if_value":{"value":1,"x":2}}`, reasonBody, `"/if_value/x"`},
		{"/extend", `{"key":"k"}`, "ttl_missing", ``},
		{"/extend", `{"key":"k","ttl_ms":-1}`, "ttl_negative", ``},
		{"/batch/get", `{"keys":[]}`, "keys_missing", ``},
		{"/batch/get", `{"keys":["a",1]}`, reasonBody, `"/keys/1"`},
		{"/batch/get", `{"keys":["a","!"],"key_encoding":"base64"}`, "encoding_invalid", `/keys/0`},
		{"/batch/get", `{"keys":["a"],"as_of":"yesterday"}`, reasonBody, `yesterday`},
		{"/batch/set", `{"items":[{"key":"k","value":1},{"key":"k"}]}`, "value_missing", `/items/1`},
		{"/batch/set", `{"items":[{"key":"k","value":1,"ttl":"1s"}]}`, reasonBody, `"/items/0/ttl"`},
		{"/delete-range", `{}`, "selection_missing", ``},
		{"/delete-range", `{"prefix":"a","start":"b"}`, "selection_ambiguous", ``},
		{"/revert", `{"key":"k"}`, "revert_to_missing", ``},
		{"/revert", `{"revision":1}`, "revert_what_missing", ``},
		{"/revert", `{"key":"k","prefix":"a","revision":1}`, "selection_ambiguous", ``},
		{"/revert", `{"key":"k","as_of":1,"revision":1}`, "revision_and_as_of", ``},
		{"/txn", `{"if":{}}`, reasonBody, `"/if": a JSON object`},
		{"/txn", `{"then":[` + strings.Repeat("{},", BatchKeysMax) + `{}]}`, reasonBody, `more than 10000 elements`},
		{"/txn", `{"if":[{"any":[` + strings.Repeat("{},", BatchKeysMax) + `{}]}]}`, reasonBody, `"/if/0/any`},
		{"/batch/get", `{"keys":[` + strings.Repeat(`"",`, BatchKeysMax+1) + `""]}`, "too_many_keys", `10002`},
		{"/batch/set", `{"items":[` + strings.Repeat(`{},`, BatchKeysMax+1) + `{}]}`, "transaction_too_large", `10002`},
		{"/batch/delete", `{"keys":[` + strings.Repeat(`"",`, BatchKeysMax) + `""]}`, "transaction_too_large", `10001`},
		{"/batch/delete", `{"keys":{}}`, reasonBody, `"/keys": a JSON object`},
		{"/txn", `{}`, "operations_missing", ``},
		{"/txn", `{"then":[{}]}`, "operation_missing", `/then/0`},
		{"/txn", `{"then":[{"get":{"key":"k"},"set":{"key":"k","value":1}}]}`, "operation_ambiguous", `get, set`},
		{"/txn", `{"else":[{"set":{"key":"k","value":1,"ttl_ms":true}}]}`, reasonBody, `"/else/0/set/ttl_ms"`},
		{"/txn", `{"else":[{"set":{"key":"k"}}]}`, "value_missing", `/else/0/set`},
		{"/txn", `{"then":[{"set":{"key":"k","value":1,"request_id":"x"}}]}`, reasonBody, `request_id`},
		{"/txn", `{"then":[{"get":{"key":"k"},"keyspace":"other"}]}`, "keyspace_not_found", `other`},
		{"/txn", `{"if":[{"all":[{"not":{"compare":{"key":"k"}}}]}],"then":[{"get":{"key":"k"}}]}`,
			"value_missing", `/if/0/all/0/not/compare`},
		{"/txn", `{"if":[{"any":[]},{}],"then":[{"get":{"key":"k"}}]}`, "condition_ambiguous", `/if/1`},
		{"/txn", `{"if":[{"compare":{"key":"k","value":1,"revision":2}}]}`, "compare_target_ambiguous", ``},
		{"/txn", `{"if":[{"compare":{"key":"k","value":1,"op":"=="}}]}`, "compare_unsupported", `==`},
		{"/txn", `{"if":[{"unchanged":{"prefix":"k","since":0}}],"then":[{"get":{"key":"k"}}]}`, "since_invalid", ``},
	} {
		a := f.post(tc.path, tc.body)
		want := 400
		switch tc.reason {
		case "keyspace_not_found":
			want = 404
		case "transaction_too_large":
			want = 429
		}
		if got := a.reason(t); a.status != want || got != tc.reason || !strings.Contains(a.body, quoted(tc.names)) {
			t.Errorf("%s %s: %d %s %s, want %s", tc.path, tc.body, a.status, got, a.body, tc.reason)
		}
	}
	for _, headers := range [][]string{
		{"If-Match", "*"}, {"If-None-Match", `"r1"`}, {requestHeader, "x"}, {messageHeader, "y"},
	} {
		a := f.post("/increment", `{"key":"k","by":1,"request_id":"a","message":"b"}`, headers...)
		if a.status != 400 {
			t.Errorf("%v is passed over: %+v", headers, a)
		}
	}
	for _, kind := range []string{
		"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1",
	} {
		a := f.do("POST", "/v1/delete-range", `{"prefix":""}`, "Content-Type", kind)
		if a.status != 415 || a.reason(t) != reasonContentType {
			t.Errorf("a page of another site can send %q here: %+v", kind, a)
		}
	}
	if n := f.shards.commits; n != 0 {
		t.Errorf("%d commits", n)
	}
}

// quoted is s as it stands inside a JSON string.
func quoted(s string) string { return strings.Trim(string(quoteJSON("|"+s+"|")), `"|`) }

// What a JSON body brings is what is stored, and comes back as such.
func TestBodyValues(t *testing.T) {
	f := start(t)
	for _, tc := range []struct {
		in   string // of an item, beside its key
		want *cairnv1.Value
		out  string // of a get; empty: as in
	}{
		{`"value":9223372036854775807`, intValue(math.MaxInt64), `"type":"int","value":9223372036854775807`},
		{`"type":"int","value":-9223372036854775808`, intValue(math.MinInt64), ""},
		{`"value":-0`, intValue(0), `"type":"int","value":0`},
		{`"type":"float","value":-0.0`, floatValue(math.Copysign(0, -1)), ""},
		{`"value":-0.0`, floatValue(math.Copysign(0, -1)), `"type":"float","value":-0.0`},
		{`"type":"float","value":3`, floatValue(3), `"type":"float","value":3.0`},
		{`"type":"float","value":3.0`, floatValue(3), ""},
		{`"value":1e2`, floatValue(100), `"type":"float","value":100.0`},
		{`"type":"float","value":5e-324`, floatValue(5e-324), ""},
		{`"type":"float","value":1.7976931348623157e+308`, floatValue(math.MaxFloat64), ""},
		{`"type":"float","value":"NaN"`, floatValue(math.NaN()), ""},
		{`"type":"float","value":"Infinity"`, floatValue(math.Inf(1)), ""},
		{`"type":"float","value":"-Infinity"`, floatValue(math.Inf(-1)), ""},
		{`"value":"NaN"`, str("NaN"), `"type":"string","value":"NaN"`},
		{`"type":"string","value":""`, str(""), ""},
		{`"type":"string","value":"\u0000<häuser>\n😀"`, str("\x00<häuser>\n😀"), ""},
		{`"type":"bytes","value":""`, bytesValue(""), ""},
		{`"type":"bytes","value":"text"`, bytesValue("text"), ""},
		{`"value":"/wA=","encoding":"base64"`, bytesValue("\xff\x00"), `"type":"bytes","value":"/wA=","encoding":"base64"`},
		{`"type":"bool","value":false`, &cairnv1.Value{Kind: &cairnv1.Value_BoolValue{}}, ""},
		{`"type":"null","value":null`, &cairnv1.Value{Kind: &cairnv1.Value_NullValue{}}, ""},
		{`"type":"json","value":null`, jsonOf("null"), ""},
		{`"type":"json","value":1.10`, jsonOf("1.10"), ""},
		{`"value":{"a": [1, {"b":null}],"n":123456789012345678901234567890}`,
			jsonOf(`{"a": [1, {"b":null}],"n":123456789012345678901234567890}`),
			`"type":"json","value":{"a":[1,{"b":null}],"n":123456789012345678901234567890}`},
		{`"value":[]`, jsonOf("[]"), `"type":"json","value":[]`},
	} {
		for _, key := range []string{`"key":"a/😀"`, `"key":"/wA=","key_encoding":"base64"`} {
			if a := f.post("/batch/set", `{"items":[{`+key+","+tc.in+`}]}`); a.status != 200 {
				t.Errorf("%s: %+v", tc.in, a)
				continue
			}
			path := map[bool]string{true: "%FF%00", false: "a/%F0%9F%98%80"}[strings.Contains(key, "base64")]
			target, _ := targetOf("/v1/keys/" + path)
			got, err := f.g.get(t.Context(), &cairnv1.GetRequest{Key: target.key})
			if err != nil || !proto.Equal(got.GetValue(), tc.want) {
				t.Errorf("%s is stored as %v, %v", tc.in, got, err)
			}
			if tc.out == "" {
				tc.out = tc.in
			}
			a := f.do("GET", "/v1/keys/"+path, "", "Accept", contentJSON)
			if want := `{"found":true,` + key + "," + tc.out + ","; !strings.HasPrefix(a.body, want) {
				t.Errorf("%s comes back as %s, want %s", tc.in, a.body, want)
			}
			raw := f.do("GET", "/v1/keys/"+path, "")
			f.do("PUT", "/v1/keys/"+path, raw.body, "Content-Type", raw.header.Get("Content-Type"))
			again, err := f.g.get(t.Context(), &cairnv1.GetRequest{Key: target.key})
			if err != nil || !proto.Equal(again.GetValue(), tc.want) {
				t.Errorf("%s becomes %v by way of %q", tc.in, again, raw.body)
			}
		}
	}
}

func floatValue(x float64) *cairnv1.Value {
	return &cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: x}}
}

func jsonOf(text string) *cairnv1.Value {
	return &cairnv1.Value{Kind: &cairnv1.Value_JsonValue{JsonValue: text}}
}

// A value that is taken comes back as JSON that means the same value, and no text makes it panic.
func FuzzJSONValue(f *testing.F) {
	for _, text := range []string{
		`{"value":1}`, `{"value":-0.0}`, `{"value":"NaN","type":"float"}`, `{"value":"/w==","encoding":"base64"}`,
		`{"type":"json","value":{"a":[null,1e999,"\ud83d\ude00"]}}`, `{"value":null}`, `{"value":"\u0000"}`,
		`{"type":"int","value":9223372036854775807}`, `{"value":true,"type":"bool"}`, `{"value":"x","type":"bytes"}`,
		`{"value":{"a":1,"a":2}}`, `{"value":1}x`, `{"value":[[[[]]]]}`, `{"type":"null"}`, "{\"value\":\"\xff\"}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var in valueIn
		if decodeBody([]byte(text), &in) != nil {
			return
		}
		v, failed := in.wire()
		if failed != nil {
			if failed.Kind != txn.Invalid || failed.Reason == "" {
				t.Fatalf("%s: %v", text, failed)
			}
			return
		}
		if _, err := storedValue(v, nil); err != nil {
			t.Fatalf("%s is taken as %v, and the store does not take that: %v", text, v, err)
		}
		out := valueIn{Type: typeName(v)}
		raw, encoding := jsonValue(v)
		out.Value, out.Encoding = []byte(encodeJSON(raw)), encoding
		again, failed := out.wire()
		if k, ok := v.GetKind().(*cairnv1.Value_JsonValue); ok { // white space goes
			var b bytes.Buffer
			if err := json.Compact(&b, []byte(k.JsonValue)); err != nil {
				t.Fatal(err)
			}
			v = jsonOf(b.String())
		}
		if failed != nil || !proto.Equal(v, again) {
			t.Fatalf("%s is %v, then %v %v by way of %s", text, v, again, failed, out.Value)
		}
	})
}

// Every option of a body reaches the call that answers it.
func TestBodyRequests(t *testing.T) {
	header := http.Header{requestHeader: {"id"}, messageHeader: {"h%C3%A4 100%25"}}
	at := &httpTarget{keyspace: "ks", header: header}
	plain := &httpTarget{keyspace: "ks"}
	const ephemeral = cairnv1.Durability_DURABILITY_EPHEMERAL
	for _, tc := range []struct {
		body    string
		request func(text []byte) (proto.Message, *txn.Error)
		want    proto.Message
	}{
		{`{"key":"k","by":1,"lower_bound":-5,"upper_bound":7,"ttl_if_new_ms":9,"no_history":true,"durability":"ephemeral",
			"if_absent":true,"if_present":true,"if_revision":-1,"if_commit_ts":4,"if_value":{"value":"x","type":"bytes"}}`,
			requested(at, (*incrementBody).request), &cairnv1.UpdateRequest{
				Keyspace: "ks", Key: []byte("k"), By: increment(1), LowerBound: intValue(-5), UpperBound: intValue(7),
				TtlIfNewMs: 9, NoHistory: true, Durability: ephemeral, RequestId: []byte("id"), Message: "hä 100%",
				Conditions: &cairnv1.WriteConditions{IfAbsent: true, IfPresent: true, IfValue: bytesValue("x"),
					IfRevision: ptr(int64(-1)), IfCommitTs: ptr(int64(4))},
			}},
		{`{"key":"k","value":1.5,"request_id":"r","message":"50%"}`, requested(plain, (*operandBody).maximum),
			&cairnv1.UpdateRequest{Keyspace: "ks", Key: []byte("k"), RequestId: []byte("r"), Message: "50%",
				By: &cairnv1.UpdateRequest_Max{Max: floatValue(1.5)}}},
		{`{"key":"k","value":"v"}`, requested(plain, (*operandBody).appending), &cairnv1.UpdateRequest{
			Keyspace: "ks", Key: []byte("k"), By: &cairnv1.UpdateRequest_Append{Append: str("v")}}},
		{`{"key":"k","value":"v"}`, requested(plain, (*operandBody).minimum), &cairnv1.UpdateRequest{
			Keyspace: "ks", Key: []byte("k"), By: &cairnv1.UpdateRequest_Min{Min: str("v")}}},
		{`{"key":"k","ttl_ms":5,"durability":"ephemeral"}`, requested(at, (*extendBody).request), &cairnv1.ExtendRequest{
			Keyspace: "ks", Key: []byte("k"), TtlMs: 5, Durability: ephemeral, RequestId: []byte("id"), Message: "hä 100%"}},
		{`{"keys":["a"],"require_all":true,"as_of":"1970-01-01T00:00:01+01:00","durability":"ephemeral"}`,
			requested(plain, (*batchGetBody).request), &cairnv1.BatchGetRequest{Keyspace: "ks", Keys: [][]byte{[]byte("a")},
				RequireAll: true, AsOf: ptr(int64(-3599e6)), Durability: ephemeral}},
		{`{"items":[{"key":"a","value":null,"ttl_ms":3,"keep_ttl":true,"no_history":true,"if_absent":true}],
			"require_all":true,"durability":"ephemeral"}`, requested(at, (*batchSetBody).request),
			&cairnv1.BatchSetRequest{Keyspace: "ks", RequireAll: true, Durability: ephemeral, RequestId: []byte("id"),
				Message: "hä 100%", Items: []*cairnv1.SetItem{{Key: []byte("a"), Value: wireValue(txn.NullValue()), TtlMs: 3,
					KeepTtl: true, NoHistory: true, Conditions: &cairnv1.WriteConditions{IfAbsent: true}}}}},
		{`{"keys":["a"],"require_all":true,"durability":"ephemeral"}`, requested(at, (*batchDeleteBody).request),
			&cairnv1.BatchDeleteRequest{Keyspace: "ks", RequireAll: true, Durability: ephemeral, RequestId: []byte("id"),
				Message: "hä 100%", Keys: [][]byte{[]byte("a")}}},
		{`{"start":"YQ==","end":"Yg==","glob":"Kg==","key_encoding":"base64","dry_run":true}`,
			requested(at, (*deleteRangeBody).request), &cairnv1.DeleteRangeRequest{Keyspace: "ks", DryRun: true,
				RequestId: []byte("id"), Message: "hä 100%", Select: &cairnv1.Selection{Glob: []byte("*"),
					By: &cairnv1.Selection_Span{Span: &cairnv1.Span{Start: []byte("a"), End: []byte("b")}}}}},
		{`{"bucket":"a","as_of":77,"dry_run":true}`, requested(at, (*revertBody).request), &cairnv1.RevertRequest{
			Keyspace: "ks", DryRun: true, RequestId: []byte("id"), Message: "hä 100%",
			To: &cairnv1.RevertRequest_AsOf{AsOf: 77}, What: &cairnv1.RevertRequest_Select{Select: &cairnv1.Selection{
				By: &cairnv1.Selection_Bucket{Bucket: []byte("a")}}}}},
		{`{"key":"","revision":0}`, requested(plain, (*revertBody).request), &cairnv1.RevertRequest{Keyspace: "ks",
			What: &cairnv1.RevertRequest_Key{Key: []byte{}}, To: &cairnv1.RevertRequest_Revision{}}},
	} {
		got, failed := tc.request([]byte(tc.body))
		if failed != nil || !proto.Equal(got, tc.want) {
			t.Errorf("%s\n got %v, %v\nwant %v", tc.body, got, failed, tc.want)
		}
	}
}

// requested decodes a body and makes its request.
func requested[Body any, Req any, PReq messageOf[Req]](
	at *httpTarget, request func(*Body, *httpTarget) (*Req, *txn.Error),
) func([]byte) (proto.Message, *txn.Error) {
	return func(text []byte) (proto.Message, *txn.Error) {
		body := new(Body)
		if failed := decodeBody(text, body); failed != nil {
			return nil, failed
		}
		req, failed := request(body, at)
		return PReq(req), failed
	}
}
