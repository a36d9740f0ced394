package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// description is openapi.json, and which of its answers have been seen.
type description struct {
	*testing.T
	doc     *openapi3.T
	schemas *jsonschema.Compiler
	seen    map[string]bool // "GET /keys 200"
}

func describe(t *testing.T) *description {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	d := &description{T: t, doc: doc, schemas: jsonschema.NewCompiler(), seen: make(map[string]bool)}
	if err := d.schemas.AddResource("openapi.json", raw); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpenAPIValid(t *testing.T) {
	d := describe(t)
	// It does not see what unevaluatedProperties means beside a $ref; the exercises hold the schemas.
	if err := d.doc.Validate(t.Context(), openapi3.DisableExamplesValidation()); err != nil {
		t.Error(err)
	}
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			media := op.RequestBody.Value.Content[contentJSON]
			if media.Example != nil {
				d.validate(path, pointer("paths", path, strings.ToLower(method), "requestBody", "content",
					contentJSON, "schema"), media.Example)
			}
		}
	}
	if a := start(t).do("GET", "/v1/openapi.json", ""); a.status != 200 || a.body != string(openAPI) {
		t.Errorf("it is served as %d, %d bytes", a.status, len(a.body))
	}
}

// What the routes know and what the document says are the same.
func TestOpenAPIRoutes(t *testing.T) {
	d := describe(t)
	known := make(map[string]*route)
	for i := range routes {
		known[routes[i].method+" "+routes[i].path] = &routes[i]
	}
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			if method == http.MethodHead {
				name = http.MethodGet + " " + path
			}
			r := known[name]
			if r == nil {
				t.Errorf("%s is described, and there is none", name)
				continue
			}
			query, headers := parameters(item, op)
			for _, name := range r.query {
				if !slices.Contains(query, name) && method != http.MethodHead {
					t.Errorf("%s takes %s, which is not described", name, name)
				}
			}
			for _, described := range query {
				if !slices.Contains(r.query, described) {
					t.Errorf("%s does not take %s", name, described)
				}
			}
			if slices.Contains(headers, "If-Match") != (r.options&conditional != 0) {
				t.Errorf("%s: headers %v", name, headers)
			}
			if (len(item.Servers) > 0) != (r.options&clusterWide != 0) {
				t.Errorf("%s: its servers are %v", name, item.Servers)
			}
		}
	}
	for name, r := range known {
		item := d.doc.Paths.Value(r.path)
		if item == nil || item.GetOperation(r.method) == nil {
			t.Errorf("%s is not described", name)
		}
	}
}

func parameters(item *openapi3.PathItem, op *openapi3.Operation) (query, headers []string) {
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		switch p.Value.In {
		case "query":
			query = append(query, p.Value.Name)
		case "header":
			headers = append(headers, p.Value.Name)
		}
	}
	return query, headers
}

// Each body has the members that its schema has, down to the last operation and condition.
func TestOpenAPIBodies(t *testing.T) {
	d := describe(t)
	for name, body := range map[string]any{
		"IncrementRequest": incrementBody{}, "OperandRequest": operandBody{}, "ExtendRequest": extendBody{},
		"BatchGetRequest": batchGetBody{}, "BatchSetRequest": batchSetBody{}, "BatchDeleteRequest": batchDeleteBody{},
		"DeleteRangeRequest": deleteRangeBody{}, "RevertRequest": revertBody{}, "TxnRequest": txnBody{},
		"KeyspaceOptions": keyspaceIn{},
		"Entry":           jsonEntry{}, "SetResult": setOut{}, "DeleteResult": deleteOut{},
		"ExistsResult": existsOut{}, "UpdateResult": updateOut{},
		"ExtendResult": extendOut{}, "TTLResult": ttlOut{}, "BatchGetResult": batchGetOut{},
		"BatchSetResult": batchSetOut{}, "BatchDeleteResult": batchDeleteOut{}, "DeleteRangeResult": deleteRangeOut{},
		"HistoryPage": historyOut{}, "RevertResult": revertOut{}, "TxnResult": txnOut{}, "Listing": listing{},
		"Keyspaces": keyspacesOut{}, "KeyspaceStatus": keyspaceStatusOut{}, "Error": jsonError{}, "NotFound": notFound{},
	} {
		d.sameMembers(name, reflect.TypeOf(body), d.doc.Components.Schemas[name].Value, 0)
	}
}

func (d *description) sameMembers(where string, typ reflect.Type, s *openapi3.Schema, depth int) {
	d.Helper()
	has, described := make(map[string]reflect.Type), make(map[string]*openapi3.Schema)
	members(typ, has)
	properties(s, described)
	if a, b := slices.Sorted(maps.Keys(has)), slices.Sorted(maps.Keys(described)); !slices.Equal(a, b) {
		d.Errorf("%s has %v, and %v are described", where, a, b)
	}
	if depth == 4 { // conditions contain conditions
		return
	}
	for name, typ := range has {
		s := described[name]
		if strings.HasPrefix(typ.Name(), "batchIn[") {
			typ = typ.Field(0).Type // its list
		}
		for s != nil && (typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice) {
			if typ.Kind() == reflect.Slice && s.Items != nil {
				s = s.Items.Value
			}
			typ = typ.Elem()
		}
		if s != nil && typ.Kind() == reflect.Struct && len(s.OneOf) == 0 {
			d.sameMembers(where+"/"+name, typ, s, depth+1)
		}
	}
}

// members are the JSON names of a struct, those of what it embeds included.
func members(typ reflect.Type, into map[string]reflect.Type) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.Anonymous:
			into[name] = f.Type
		case f.Type.Kind() == reflect.Pointer:
			members(f.Type.Elem(), into)
		default:
			members(f.Type, into)
		}
	}
}

// properties are those of a schema and of all it is made of.
func properties(s *openapi3.Schema, into map[string]*openapi3.Schema) {
	for name, p := range s.Properties {
		into[name] = p.Value
	}
	for _, part := range s.AllOf {
		properties(part.Value, into)
	}
}

// exercise is a request and the status that it gets.
type exercise struct {
	method, path, body string
	headers            []string
	status             int
}

func (e *exercise) String() string {
	return fmt.Sprintf("%s %.60s %.80s %v", e.method, e.path, e.body, e.headers)
}

// Every answer that the document promises is given, and none that it does not describe.
func TestOpenAPIAnswers(t *testing.T) {
	d, f := describe(t), start(t)
	tag := f.do("PUT", "/v1/keys/tagged", "v").header.Get("ETag")
	f.do("PUT", "/v1/keys/gone", "v")
	f.do("DELETE", "/v1/keys/gone", "")
	f.do("PUT", "/v1/keys/%ff", "\xff\x00")
	for _, e := range exercises(tag) {
		d.hold(&e, f.do(e.method, e.path, e.body, e.headers...))
		if op, at := d.operation(&e); op.RequestBody != nil && e.method == http.MethodPost {
			d.validateJSON(&e, pointer(at, "requestBody", "content", contentJSON, "schema"), e.body)
		}
	}
	for i := range routes { // what is wrong with any of them
		r := &routes[i]
		path := "/v1" + strings.NewReplacer("{key}", "k", "{keyspace}", "default").Replace(r.path)
		for _, e := range []exercise{
			{r.method, path + "?colour=red", "", nil, 400},
			{r.method, path, "{}", []string{"Content-Type", "text/plain; charset=latin1"}, 415},
			{r.method, path, "", []string{"Content-Type", contentJSON}, 413},
		} {
			op, _ := d.operation(&e)
			switch {
			case e.status != 400 && op.RequestBody == nil:
			case e.status == 413:
				d.hold(&e, declare(f, &e, BodyBytesMax+1))
			default:
				d.hold(&e, f.do(e.method, e.path, e.body, e.headers...))
			}
		}
	}
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				if name := method + " " + path + " " + status; status != "default" && !d.seen[name] {
					t.Errorf("nothing has got a %s", name)
				}
			}
		}
	}
}

// declare sends a request that says how large its body is, and no body.
func declare(f *fixture, e *exercise, size int64) answer {
	r := httptest.NewRequestWithContext(f.Context(), e.method, "http://localhost"+e.path, strings.NewReader(""))
	r.ContentLength = size
	for i := 0; i < len(e.headers); i += 2 {
		r.Header.Set(e.headers[i], e.headers[i+1])
	}
	w := httptest.NewRecorder()
	f.g.Handler().ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// operation is what the document says about the request, and where.
func (d *description) operation(e *exercise) (op *openapi3.Operation, at string) {
	d.Helper()
	path := d.pathOf(e)
	if op = d.doc.Paths.Value(path).GetOperation(e.method); op == nil {
		d.Fatalf("%v is not described", e)
	}
	return op, pointer("paths", path, strings.ToLower(e.method))
}

func (d *description) pathOf(e *exercise) string {
	d.Helper()
	path, _, _ := strings.Cut(e.path, "?")
	target, failed := targetOf(path)
	if failed != nil || d.doc.Paths.Value(target.path) == nil {
		d.Fatalf("%v is not described: %v", e, failed)
	}
	return target.path
}

// hold compares an answer with what is described.
func (d *description) hold(e *exercise, a answer) {
	d.Helper()
	if a.status != e.status {
		d.Errorf("%v: %d %s, want %d", e, a.status, a.body, e.status)
		return
	}
	op, at := d.operation(e)
	status := fmt.Sprint(a.status)
	d.seen[e.method+" "+d.pathOf(e)+" "+status] = true
	resp := op.Responses.Value(status)
	if resp == nil {
		status, resp = "default", op.Responses.Default()
	}
	at = referred(pointer(at, "responses", status), resp.Ref)
	for name, h := range resp.Value.Headers {
		switch value := a.header.Get(name); {
		case value != "":
			d.validate(e, pointer(referred(pointer(at, "headers", name), h.Ref), "schema"), value)
		case h.Value.Required:
			d.Errorf("%v: no header %s", e, name)
		}
	}
	if e.method == http.MethodHead || a.status == http.StatusNotModified {
		if a.body != "" {
			d.Errorf("%v: %d with a body", e, a.status)
		}
		return
	}
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	schema := pointer(at, "content", kind, "schema")
	switch {
	case resp.Value.Content[kind] == nil:
		d.Errorf("%v: %d with content of type %q, which is not described", e, a.status, kind)
	case kind == contentJSON:
		d.validateJSON(e, schema, a.body)
	case kind == contentLines:
		for s := bufio.NewScanner(strings.NewReader(a.body)); s.Scan(); {
			d.validateJSON(e, pointer("components", "schemas", "Line"), s.Text())
		}
	default:
		d.validate(e, schema, a.body)
	}
}

// pointer is a JSON pointer to what lies below an element or a pointer.
func pointer(to string, below ...string) string {
	if !strings.HasPrefix(to, "/") || to == "" {
		to = "/" + to
	}
	for _, name := range below {
		to += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	return to
}

// referred is where an object is that may be a reference.
func referred(at, ref string) string {
	if ref != "" {
		return strings.TrimPrefix(ref, "#")
	}
	return at
}

func (d *description) validateJSON(e *exercise, schema, text string) {
	d.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		d.Errorf("%v: %s: %v", e, text, err)
		return
	}
	d.validate(e, schema, v)
}

func (d *description) validate(what any, schema string, v any) {
	d.Helper()
	s, err := d.schemas.Compile("openapi.json#" + schema)
	if err != nil {
		d.Fatalf("%s: %v", schema, err)
	}
	if err := s.Validate(v); err != nil {
		d.Errorf("%v: %v is not as described: %v", what, v, err)
	}
}

// Answers of every shape are as described, also those that need much to come about.
func TestOpenAPIShapes(t *testing.T) {
	d := describe(t)
	entry := &cairnv1.Entry{Key: []byte("\xff"), Value: bytesValue("\xff"), Revision: 2, CommitTs: 9, CreateTs: 5}
	keyspace := &cairnv1.Keyspace{Name: "k", HistoryAgeMs: 600_000, HistoryCount: 16, ValueBytesMax: 1, Full: true}
	for name, v := range map[string]any{
		"HistoryPage": historyAnswer(&cairnv1.HistoryResponse{Cursor: []byte{1}, Entries: []*cairnv1.HistoryEntry{
			{Entry: entry, Operation: cairnv1.HistoryOperation_HISTORY_OPERATION_SET, Principal: "p", Message: "m"},
			{Entry: &cairnv1.Entry{Key: []byte("k"), Revision: 1, CommitTs: 3},
				Operation: cairnv1.HistoryOperation_HISTORY_OPERATION_DELETE},
		}}),
		"Keyspaces":      &keyspacesOut{Keyspaces: []keyspaceOut{keyspaceOutOf(keyspace)}},
		"KeyspaceStatus": &keyspaceStatusOut{keyspaceOut: keyspaceOutOf(keyspace), Keys: 1},
		"RevertResult": revertAnswer(&cairnv1.RevertResponse{Count: 1, Changes: []*cairnv1.RevertChange{
			{Key: []byte("k"), From: entry}, {Key: []byte("k"), To: entry},
		}}),
		"Error": errorBody(&txn.Error{Kind: txn.TooOld, Oldest: 7, Other: txn.NewID(1, 2), OtherAge: 5, Token: "t",
			Key: txn.NewKey(txn.DefaultKeyspace, []byte("\xff"))}),
		"Listing": listingOf(&cairnv1.RangeResponse{Entries: []*cairnv1.Entry{entry}, Cursor: []byte{1}}),
	} {
		d.validateJSON(&exercise{path: name}, pointer("components", "schemas", name), string(encodeJSON(v)))
	}
}

func bytesValue(s string) *cairnv1.Value {
	return &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: []byte(s)}}
}
