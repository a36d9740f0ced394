package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

// httpWay is the HTTP endpoint, spoken to with net/http alone.
type httpWay struct {
	endpoint string
	client   *http.Client
}

func (w *httpWay) cannot(s *Step) string {
	switch {
	case s.Tx != "" || s.HTTP() == nil:
		return "the HTTP endpoint has no interactive transactions"
	case s.If.Absent && s.If.Present:
		return "If-Match and If-None-Match together are a condition that never holds, not an error"
	case s.Op == "delete" && s.Eph && !s.headersSuffice():
		return "conditions on an ephemeral delete are those of If-Match"
	}
	return ""
}

// silent: those who get raw bytes get no more than the headers say.
func (w *httpWay) silent(s *Step, what string) bool {
	switch what {
	case "create=":
		return s.Op == "get" || s.Op == "exists"
	case "prev=", "bytes=":
		return true // where nothing was written
	}
	return false
}

func (w *httpWay) do(ctx context.Context, s *Step) (answer, error) {
	var all answer
	for {
		a, err := w.one(ctx, s)
		if err != nil || a.failed != nil {
			return a, err
		}
		a.items = append(all.items, a.items...)
		if all = a; s.Page == 0 || a.cursor == nil || *a.cursor == "" {
			return all, nil
		}
		s.Cursor = a.cursor
	}
}

func (w *httpWay) one(ctx context.Context, s *Step) (answer, error) {
	say := s.HTTP()
	req, err := http.NewRequestWithContext(ctx, say.Method, w.endpoint+say.Path, strings.NewReader(say.Body))
	if err != nil {
		return answer{}, err
	}
	for _, h := range say.Header {
		req.Header.Set(h[0], h[1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	if a, failed, err := failedRequest(s, resp, body); failed {
		return a, err
	}
	switch s.Op {
	case "get", "exists":
		if resp.StatusCode == http.StatusOK {
			return headersAnswer(s, resp.Header, body)
		}
		no, missing := false, int64(-1)
		return answer{done: &no, revision: &missing}, nil
	case "stream":
		return linesAnswer(body)
	case "make", "change", "drop", "keyspace", "keyspaces":
		return keyspaceAnswer(s, resp.StatusCode, body)
	}
	f, err := parseFields(body)
	if err != nil {
		return answer{}, err
	}
	a, err := f.answer()
	if s.Op == "range" || s.Op == "history" {
		cursor := f.text("cursor")
		a.cursor = &cursor
	}
	if s.wrapped() { // a transaction or a batch of one
		a = a.items[0]
	}
	return a, err
}

// wrapped reports a write that had to be put into something larger.
func (s *Step) wrapped() bool { return (s.Op == "set" || s.Op == "delete") && !s.headersSuffice() }

// kindStatuses are the HTTP statuses of the kinds.
var kindStatuses = map[string][]int{
	"invalid_argument": {400, 405, 409, 412, 413, 415}, "not_found": {404}, "conflict": {409}, "wounded": {409},
	"unavailable": {503}, "resource_exhausted": {429, 413}, "too_old": {410}, "deadline_exceeded": {504},
	"unknown": {500}, "internal": {500},
}

func failedRequest(s *Step, resp *http.Response, body []byte) (a answer, failed bool, err error) {
	if s.Op == "exists" && resp.StatusCode >= 400 && resp.StatusCode != http.StatusNotFound {
		kind := "no kind"
		for word, statuses := range kindStatuses {
			if slices.Contains(statuses, resp.StatusCode) && word != "wounded" {
				kind = word
			}
		}
		return answer{failed: &failure{kind: kind}}, true, nil // HEAD has no body
	}
	if !bytes.HasPrefix(body, []byte(`{"error":`)) {
		if resp.StatusCode >= 500 {
			return a, true, fmt.Errorf("status %d: %s", resp.StatusCode, body)
		}
		return a, false, nil
	}
	outer, err := parseFields(body)
	if err != nil {
		return a, true, err
	}
	e, err := parseFields(outer["error"])
	if err != nil {
		return a, true, err
	}
	kind := e.text("kind")
	if !slices.Contains(kindStatuses[kind], resp.StatusCode) {
		return a, true, fmt.Errorf("kind %s has status %d: %s", kind, resp.StatusCode, body)
	}
	return answer{failed: &failure{kind, e.text("reason"), e.text("message")}}, true, nil
}

// headersAnswer is a version whose value is the body.
func headersAnswer(s *Step, h http.Header, body []byte) (a answer, err error) {
	number := func(name string) *int64 {
		n, bad := strconv.ParseInt(h.Get(name), 10, 64)
		if bad != nil && h.Get(name) != "" {
			err = bad
		}
		return &n
	}
	yes := true
	a.done, a.revision, a.commit = &yes, number("X-Cairn-Revision"), number("X-Cairn-Commit-Ts")
	a.expires = number("X-Cairn-Expires-At")
	if want := fmt.Sprintf(`"r%d-%d"`, *a.revision, *a.commit); strings.TrimPrefix(h.Get("ETag"), "W/") != want {
		return a, fmt.Errorf("ETag %s, want %s", h.Get("ETag"), want)
	}
	if s.Op == "get" && err == nil {
		a.value, err = bodyValue(h.Get("X-Cairn-Type"), body)
	}
	return a, err
}

func bodyValue(kind string, body []byte) (*txn.Value, error) {
	var v txn.Value
	switch kind {
	case "bytes":
		v = txn.BytesValue(body)
	case "string":
		v = txn.StringValue(string(body))
	case "json":
		v = txn.JSONValue(body)
	case "null":
		v = txn.NullValue()
	default:
		t := token{text: string(body)}
		if got := t.value(); got != nil && got.Type.String() == kind {
			return got, nil
		}
		return nil, fmt.Errorf("body %q of type %q", body, kind)
	}
	return &v, nil
}

func linesAnswer(body []byte) (a answer, err error) {
	for line := range bytes.Lines(body) {
		item, err := answerOfJSON(bytes.TrimSpace(line))
		if err != nil {
			return a, err
		}
		a.items = append(a.items, item)
	}
	return a, nil
}

func keyspaceAnswer(s *Step, status int, body []byte) (a answer, err error) {
	f, err := parseFields(body)
	if err != nil {
		return a, err
	}
	switch s.Op {
	case "make":
		created := status == http.StatusCreated
		a.done = &created
	case "drop":
		return f.answer()
	case "keyspaces":
		var list []struct{ Name string }
		err = json.Unmarshal(f["keyspaces"], &list)
		for _, k := range list {
			a.names = append(a.names, k.Name)
		}
		return a, err
	}
	a.options = f.options()
	return a, nil
}
