package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

var errLost = errors.New("lost")

// fake is shards that answer what a story tells them to, and yes otherwise.
type fake struct {
	t   *testing.T
	env env.Env

	mu     sync.Mutex
	routes []shardrpc.Route
	next   []shardrpc.Route // routes after the next refresh
	oracle txn.Timestamp
	beside bool // the leaders have the oracle beside them
	data   map[string]txn.Version
	script map[string][]reply // by "method shard"
	first  map[string]string  // the first copy of each request
	log    strings.Builder
}

// reply is one scripted answer: a word and key=value pairs.
type reply struct {
	word string
	args map[string]string
}

func newFake(t *testing.T, e env.Env) *fake {
	return &fake{t: t, env: e, oracle: 100, data: make(map[string]txn.Version),
		script: make(map[string][]reply), first: make(map[string]string)}
}

func key(s string) txn.Key { return txn.NewKey(txn.DefaultKeyspace, []byte(s)) }

func (r reply) ts(name string) txn.Timestamp {
	n, _ := strconv.ParseInt(r.args[name], 10, 64)
	return txn.Timestamp(n)
}

func (r reply) id() txn.ID {
	var session, counter uint64
	_, _ = fmt.Sscanf(r.args["txn"], "%d.%d", &session, &counter)
	return txn.NewID(uint32(session), counter)
}

func (r reply) blocker() shardrpc.Blocker {
	return shardrpc.Blocker{Key: key(r.args["key"]), Txn: r.id(),
		Primary: key(r.args["primary"]), BaseTS: 50}
}

// receive logs a request, checks that copies are the same, and takes the next
// scripted answer.
func (f *fake) receive(method string, to shardrpc.Target, same any, text string) (reply, error) {
	f.mu.Lock()
	copyOf := fmt.Sprintf("%s %d %s", method, to.Shard, firstWord(text))
	whole := fmt.Sprintf("%#v", same)
	if method != "read" && method != "lock" && strings.HasPrefix(text, "7.") {
		if old, ok := f.first[copyOf]; ok && old != whole {
			f.t.Errorf("copies of %s differ:\n%s\n%s", copyOf, old, whole)
		}
		f.first[copyOf] = whole
	}
	name := fmt.Sprintf("%s s%d", method, to.Shard)
	r := reply{word: "ok"}
	if q := f.script[name]; len(q) > 0 {
		r, f.script[name] = q[0], q[1:]
	}
	fmt.Fprintf(&f.log, "%s %s -> %s\n", name, text, r.word)
	f.mu.Unlock()
	if d, ok := r.args["delay"]; ok {
		pause, err := time.ParseDuration(d)
		if err == nil {
			err = f.env.Sleep(context.Background(), pause)
		}
		if err != nil {
			return r, err
		}
	}
	switch r.word {
	case "lost":
		return r, errLost
	case "hang":
		if err := f.env.Sleep(context.Background(), time.Hour); err != nil {
			return r, err
		}
		return r, errLost
	case "unsent":
		return r, fmt.Errorf("no member answers: %w", shardrpc.ErrUnsent)
	case "stopped":
		return r, env.ErrStopped
	}
	return r, nil
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(s, " ")
	return w
}

func (r reply) answer() shardrpc.Reply {
	word, reason, _ := strings.Cut(r.word, ":")
	out := shardrpc.Reply{Reason: reason}
	switch word {
	case "retry":
		out.Answer = shardrpc.Retry
	case "moved":
		out.Answer = shardrpc.Moved
	case "refused":
		out.Answer = shardrpc.Refused
	case "gone":
		out.Answer = shardrpc.Gone
	default:
		out.Answer = shardrpc.OK
	}
	if out.Answer == shardrpc.Refused {
		out.RepeatAt = r.ts("ts")
		out.Key = key(r.args["key"])
		if r.args["txn"] != "" && reason != shardrpc.ReasonLocked {
			b := r.blocker()
			out.Blocker = &b
		}
	}
	return out
}

func (r reply) status() txn.Status {
	switch r.word {
	case "committed":
		return txn.Committed
	case "aborted":
		return txn.Aborted
	case "pending":
		return txn.Pending
	case "staging":
		return txn.Staging
	}
	return txn.Absent
}

func (f *fake) Timestamp(_ context.Context, n int) (txn.Timestamp, error) {
	r, err := f.receive("ts", shardrpc.Target{}, f.nonce(), strconv.Itoa(n))
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.word == "retry" {
		return 0, errLost
	}
	first := f.oracle
	f.oracle += txn.Timestamp(n)
	f.oracle += 9
	f.oracle -= f.oracle % 10
	return first, nil
}

func (f *fake) nonce() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.first = mapWithout(f.first, "ts 0")
	return ""
}

func mapWithout(m map[string]string, prefix string) map[string]string {
	for k := range m {
		if strings.HasPrefix(k, prefix) {
			delete(m, k)
		}
	}
	return m
}

func (f *fake) Routes(context.Context) ([]shardrpc.Route, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := slices.Clone(f.routes)
	fmt.Fprintf(&f.log, "routes\n")
	if f.next != nil {
		f.routes, f.next = f.next, nil
	}
	return now, nil
}

func (f *fake) Read(_ context.Context, req *shardrpc.ReadRequest) (*shardrpc.ReadResponse, error) {
	if req.At == 0 && !f.beside {
		return &shardrpc.ReadResponse{Retry: true}, nil
	}
	text := fmt.Sprintf("at=%d %s", req.At, keyList(req.Keys))
	if req.Revision != nil {
		text += fmt.Sprintf(" revision=%d", *req.Revision)
	}
	if req.Scan != nil {
		text = fmt.Sprintf("at=%d scan %s reverse=%v limit=%d", req.At, spanText(req.Scan.Span),
			req.Scan.Reverse, req.Scan.Limit)
		if req.Scan.KeysOnly {
			text += " keys-only"
		}
		if req.Scan.Since != 0 {
			text = fmt.Sprintf("at=%d %s since=%d", req.At, spanText(req.Scan.Span), req.Scan.Since)
		}
	}
	if h := req.History; h != nil {
		text += fmt.Sprintf(" history from=%d limit=%d bytes=%d keys-only=%v", h.From, h.Limit, h.Bytes, h.KeysOnly)
	}
	r, err := f.receive("read", req.Target, req, text)
	if err != nil {
		return nil, err
	}
	resp := new(shardrpc.ReadResponse)
	switch r.word {
	case "moved":
		resp.Moved = true
	case "retry":
		resp.Retry = true
	case "tooold":
		resp.TooOld = r.ts("ts")
	case "invalid":
		resp.Err = txn.Errorf(txn.Invalid, "never", "not here and not elsewhere")
	case "toolarge":
		resp.Err = txn.Errorf(txn.Exhausted, "answer_too_large", "it does not fit")
	case "blocked":
		resp.Blocked = []shardrpc.Blocker{r.blocker()}
	default:
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, k := range req.Keys {
			resp.Versions = append(resp.Versions, f.data[string(k)])
		}
		if resp.At = req.At; resp.At == 0 {
			f.oracle++
			resp.At = f.oracle
		}
		resp.Next = r.ts("next")
		if req.Scan != nil && req.Scan.Since != 0 {
			f.since(req, resp)
		} else if req.Scan != nil {
			f.scan(req, resp)
		}
	}
	return resp, nil
}

func (f *fake) since(req *shardrpc.ReadRequest, resp *shardrpc.ReadResponse) {
	for k, v := range f.data {
		if !req.Scan.Span.Contains(txn.Key(k)) {
			continue
		}
		if v.TS > req.Scan.Since || v.Live(req.Scan.Since) && !v.Live(req.At) {
			resp.Changed = true
		}
		if v.Expiry > req.At && (resp.Expiry == 0 || v.Expiry < resp.Expiry) {
			resp.Expiry = v.Expiry
		}
	}
	if resp.Changed {
		resp.Expiry = 0
	}
}

func (f *fake) scan(req *shardrpc.ReadRequest, resp *shardrpc.ReadResponse) {
	for k, v := range f.data {
		if req.Scan.Span.Contains(txn.Key(k)) && v.TS <= req.At && v.Live(req.At) {
			resp.Entries = append(resp.Entries, txn.Entry{Key: txn.Key(k), Version: v})
		}
	}
	slices.SortFunc(resp.Entries, func(a, b txn.Entry) int { return a.Key.Compare(b.Key) })
	if req.Scan.Reverse {
		slices.Reverse(resp.Entries)
	}
	if n := req.Scan.Limit; n > 0 && len(resp.Entries) > n {
		resp.Entries, resp.More = resp.Entries[:n], true
	}
	size := 0
	for i := range resp.Entries {
		size += len(resp.Entries[i].Key) + len(resp.Entries[i].Value.Data)
		if size >= req.Scan.Bytes && i+1 < len(resp.Entries) {
			resp.Entries, resp.More = resp.Entries[:i+1], true
			return
		}
	}
}

func (f *fake) Commit(_ context.Context, req *shardrpc.CommitRequest) (*shardrpc.CommitResponse, error) {
	same := *req
	same.Target = shardrpc.Target{}
	text := fmt.Sprintf("%v age=%d/%v base=%d max=%s reads=%s ops=%s", req.Txn, req.Age.At, req.Age.ID, req.BaseTS,
		tsText(req.MaxTS), readsText(&req.Reads), opsText(req.Program.Then)) + requestText(req.Request, req.Anchor) +
		noteText(req.Program.Annotation)
	r, err := f.receive("commit", req.Target, same, text)
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.CommitResponse{Reply: r.answer(), CommitTS: r.ts("ts"), Succeeded: true}
	for _, op := range req.Program.Then {
		if op.Kind == txn.OpSet && resp.Answer == shardrpc.OK {
			resp.Written = append(resp.Written, txn.Written{Key: op.Key, Wrote: true})
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if resp.CommitTS == 0 {
		f.oracle += 10
		resp.CommitTS = f.oracle - 5
	}
	return resp, nil
}

func (f *fake) Validate(_ context.Context, req *shardrpc.ValidateRequest) (*shardrpc.Reply, error) {
	same := *req
	same.Target = shardrpc.Target{}
	r, err := f.receive("validate", req.Target, same,
		fmt.Sprintf("%v at=%d reads=%s", req.Txn, req.At, readsText(&req.Reads)))
	if err != nil {
		return nil, err
	}
	reply := r.answer()
	return &reply, nil
}

func (f *fake) Prewrite(_ context.Context, req *shardrpc.PrewriteRequest) (*shardrpc.PrewriteResponse, error) {
	same := *req
	same.Target = shardrpc.Target{}
	text := fmt.Sprintf("%v age=%d/%v base=%d max=%s primary=%s", req.Txn, req.Age.At, req.Age.ID,
		req.BaseTS, tsText(req.MaxTS), req.Primary.User())
	switch req.Record {
	case txn.Absent:
	case txn.Staging:
		text += " staging" + keyList(req.Keys)
	default:
		text += " record"
	}
	text += fmt.Sprintf(" reads=%s writes=%s", readsText(&req.Reads), writesText(req.Writes)) + noteText(req.Annotation)
	text += requestText(req.Request, req.Primary)
	r, err := f.receive("prewrite", req.Target, same, text)
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.PrewriteResponse{Reply: r.answer(), TS: max(req.BaseTS, r.ts("ts"))}
	for _, w := range req.Writes {
		resp.Written = append(resp.Written, txn.Written{Key: w.Key, Wrote: w.Kind == txn.KindSet,
			Version: txn.Version{TS: resp.TS, CreateTS: resp.TS}, PrevExpiry: r.ts("expiry")})
	}
	return resp, nil
}

func (f *fake) Decide(_ context.Context, req *shardrpc.DecideRequest) (*shardrpc.DecideResponse, error) {
	text := fmt.Sprintf("%v to=%v from=%b at=%d", req.Txn, req.To, req.From, req.CommitTS)
	r, err := f.receive("decide", req.Target, text, text)
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.DecideResponse{Answer: r.answer().Answer, Status: r.status(), CommitTS: req.CommitTS}
	if r.word == "ok" {
		resp.Status = req.To
	}
	if at := r.ts("ts"); at != 0 {
		resp.CommitTS = at
	}
	return resp, nil
}

func (f *fake) Resolve(_ context.Context, req *shardrpc.ResolveRequest) (*shardrpc.ResolveResponse, error) {
	same := *req
	same.Target = shardrpc.Target{}
	r, err := f.receive("resolve", req.Target, same, fmt.Sprintf("%v commit=%v at=%d %s", req.Txn, req.Commit,
		req.CommitTS, keyList(req.Keys))+done(req.Done))
	if err != nil {
		return nil, err
	}
	return &shardrpc.ResolveResponse{Answer: r.answer().Answer}, nil
}

func (f *fake) Query(_ context.Context, req *shardrpc.QueryRequest) (*shardrpc.QueryResponse, error) {
	r, err := f.receive("query", req.Target, req, fmt.Sprintf("%v primary=%s", req.Txn, req.Primary.User()))
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.QueryResponse{Answer: r.answer().Answer, Status: r.status(), CommitTS: r.ts("ts")}
	if r.word == "ok" {
		resp.Status = txn.Aborted
	}
	for k := range strings.SplitSeq(r.args["keys"], ",") {
		if resp.Status == txn.Staging {
			resp.Keys = append(resp.Keys, key(k))
		}
	}
	return resp, nil
}

func (f *fake) QueryIntents(
	_ context.Context, req *shardrpc.QueryIntentsRequest,
) (*shardrpc.QueryIntentsResponse, error) {
	r, err := f.receive("query-intents", req.Target, req, fmt.Sprintf("%v %s", req.Txn, keyList(req.Keys)))
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.QueryIntentsResponse{Answer: r.answer().Answer}
	resp.Missing = r.word == "missing"
	resp.MaxTS, resp.Bound = max(req.BaseTS, r.ts("max")), txn.Forever
	if at := r.ts("bound"); at != 0 {
		resp.Bound = at
	}
	if r.word == "committed" {
		resp.CommitTS = r.ts("ts")
	}
	return resp, nil
}

func (f *fake) Stale(_ context.Context, req *shardrpc.StaleRequest) (*shardrpc.StaleResponse, error) {
	r, err := f.receive("stale", req.Target, req, "")
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.StaleResponse{Answer: r.answer().Answer}
	if r.args["txn"] != "" {
		resp.Stale = []shardrpc.Blocker{r.blocker()}
	}
	return resp, nil
}

func (f *fake) Lock(_ context.Context, req *shardrpc.LockRequest) (*shardrpc.LockResponse, error) {
	r, err := f.receive("lock", req.Target, req, fmt.Sprintf("%v age=%d/%v base=%d %v %s %s wait=%dms", req.Txn,
		req.Age.At, req.Age.ID, req.BaseTS, req.Mode, keyList(req.Keys), spansText(req.Spans), req.Wait))
	if err != nil {
		return nil, err
	}
	resp := &shardrpc.LockResponse{Reply: r.answer(), Term: 1}
	if resp.Answer == shardrpc.Refused {
		resp.Blocker = nil
		if r.args["txn"] != "" {
			resp.Holder = &shardrpc.LockOwner{Txn: r.id(), Age: txn.Age{At: 50, ID: r.id()}}
		}
	}
	return resp, nil
}

func done(primary txn.Key) string {
	if len(primary) == 0 {
		return ""
	}
	return " done"
}

func (f *fake) Unlock(_ context.Context, req *shardrpc.UnlockRequest) (*shardrpc.UnlockResponse, error) {
	same := *req
	same.Target = shardrpc.Target{}
	r, err := f.receive("unlock", req.Target, same, fmt.Sprintf("%v age=%d/%v base=%d", req.Txn, req.Age.At,
		req.Age.ID, req.BaseTS))
	if err != nil {
		return nil, err
	}
	return &shardrpc.UnlockResponse{Answer: r.answer().Answer}, nil
}

func spansText(spans []txn.Span) string {
	var parts []string
	for _, s := range spans {
		parts = append(parts, spanText(s))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func tsText(ts txn.Timestamp) string {
	if ts == txn.Forever {
		return "forever"
	}
	return strconv.FormatInt(int64(ts), 10)
}

func keyList(keys []txn.Key) string {
	var names []string
	for _, k := range keys {
		names = append(names, string(k.User()))
	}
	return "[" + strings.Join(names, " ") + "]"
}

func spanText(s txn.Span) string { return bound(s.Start) + ".." + bound(s.End) }

func bound(k txn.Key) string {
	if len(k) < 4 {
		return "*"
	}
	return strings.ReplaceAll(string(k.User()), "\x00", "+")
}

func readsText(r *txn.ReadSet) string {
	var parts []string
	for _, s := range r.Keys {
		parts = append(parts, fmt.Sprintf("%s@%d", s.Key.User(), s.TS))
	}
	for _, s := range r.Spans {
		parts = append(parts, fmt.Sprintf("%s@%d", spanText(s.Span), s.At))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func noteText(a txn.Annotation) string {
	if a == (txn.Annotation{}) {
		return ""
	}
	return fmt.Sprintf(" by=%s why=%s", a.Principal, a.Message)
}

func writesText(writes []txn.Write) string {
	var parts []string
	for _, w := range writes {
		parts = append(parts, fmt.Sprintf("%s=%s", w.Key.User(), w.Value.Data))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func opsText(ops []txn.Op) string {
	var parts []string
	for _, op := range ops {
		parts = append(parts, fmt.Sprintf("%s=%s", op.Key.User(), op.Value.Data))
	}
	return "[" + strings.Join(parts, " ") + "]"
}
