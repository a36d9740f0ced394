package shard

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// The commands are documented in testdata/README.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.HasSuffix(path, "README") || strings.Contains(path, "fuzz") {
			return
		}
		cryptotest.SetGlobalRandom(t, 1) // raft draws its election timeouts from it
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.tb = t
			w.command(d)
			w.settle()
			return w.flush()
		})
		w.crash(0)
	})
}

func arg(d *datadriven.TestData, name string) string {
	for _, a := range d.CmdArgs {
		if a.Key == name {
			return strings.Join(a.Vals, ",")
		}
	}
	return ""
}

// at is a timestamp argument: a number, or a name that `ts` gave.
func (w *world) at(s string) txn.Timestamp {
	if ts, ok := w.stamps[s]; ok {
		return ts
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		w.tb.Fatalf("timestamp %q: %v", s, err)
	}
	return txn.Timestamp(n)
}

func (w *world) atOr(s string, otherwise func() txn.Timestamp) txn.Timestamp {
	if s == "" {
		return otherwise()
	}
	return w.at(s)
}

func forever() txn.Timestamp { return txn.Forever }

// id reads N, of session 1, or S.N.
func id(s string) txn.ID {
	session := uint64(1)
	if of, counter, ok := strings.Cut(s, "."); ok {
		session, _ = strconv.ParseUint(of, 10, 24)
		s = counter
	}
	n, _ := strconv.ParseUint(s, 10, 40)
	return txn.NewID(uint32(session), n)
}

// age is that of the transaction's first attempt: of=N, at age=TS.
func (w *world) age(d *datadriven.TestData, base txn.Timestamp) txn.Age {
	age := txn.Age{At: base, ID: id(arg(d, "txn"))}
	if d.HasArg("age") {
		age.At = w.at(arg(d, "age"))
	}
	if d.HasArg("of") {
		age.ID = id(arg(d, "of"))
	}
	return age
}

func (w *world) target(d *datadriven.TestData) shardrpc.Target {
	t := shardrpc.Target{Shard: 2, Epoch: 1}
	if e := arg(d, "epoch"); e != "" {
		t.Epoch, _ = strconv.ParseUint(e, 10, 64)
	}
	return t
}

func (w *world) command(d *datadriven.TestData) {
	name := d.Cmd
	if t := arg(d, "txn"); t != "" {
		name += " " + t
	}
	if as := arg(d, "as"); as != "" {
		name = as
	}
	switch d.Cmd {
	case "commit", "prewrite":
		w.writes(d, name)
	case "decide", "resolve", "query", "query-intents", "stale", "session", "renew",
		"find-session":
		w.control(d, name)
	case "lock", "unlock", "locks":
		w.lockCommand(d, name)
	case "inquire":
		w.request(name, &shardrpc.InquireRequest{Target: w.target(d), Anchor: key(arg(d, "anchor")),
			ID: txn.HashRequestID([]byte(arg(d, "request"))), BaseTS: w.atOr(arg(d, "base"), w.timestamp),
			Prevent: !d.HasArg("look")})
	case "read", "validate":
		w.look(d, name)
	case "ts":
		ts := w.timestamp()
		w.stamps[arg(d, "as")] = ts
		w.say("%d", ts)
	case "status":
		s := w.r.Status()
		w.say("serving=%v term=%d intents=%d keys=%d bytes=%d", s.Serving, s.Term, s.Intents, s.Keys, s.Bytes)
		if s.Collected > 0 {
			w.say("collected: %d", s.Collected)
		}
	default:
		w.fate(d)
	}
}

// fate is time, failure and what the driver does.
func (w *world) fate(d *datadriven.TestData) {
	switch d.Cmd {
	case "tick":
		n, _ := strconv.Atoi(arg(d, "n"))
		for range max(n, 1) {
			w.tick()
		}
	case "pass":
		by, err := time.ParseDuration(arg(d, "by"))
		if err != nil {
			w.tb.Fatal(err)
		}
		if !d.HasArg("wall") {
			w.env.now += by
		}
		w.env.wall += by.Microseconds()
	case "hold":
		w.holding[d.CmdArgs[0].Key] = true
	case "go-on":
		clear(w.holding)
	case "owner":
		w.owner = map[string]txn.Owner{"unknown": txn.OwnerUnknown, "working": txn.OwnerWorking,
			"gone": txn.OwnerGone}[d.CmdArgs[0].Key]
	case "sessions":
		w.say("open until they end: %v", w.meta.Leased())
	case "depose":
		w.depose(w.r)
	case "rows":
		w.rows()
	case "flush":
		if err := w.state.Flush(); err != nil {
			w.tb.Fatal(err)
		}
	case "crash":
		if d.HasArg("written") { // the appends on their way reach the disk, but not the process
			for _, a := range w.appends {
				w.write(a, d.HasArg("synced"))
			}
		}
		keep, _ := strconv.Atoi(arg(d, "keep"))
		w.crash(keep)
		w.start()
	case "full":
		e := txn.Errorf(txn.Exhausted, "disk_full", "/data has 7 bytes free, writes need 8")
		w.r.o.Full.Store(e)
	case "room":
		w.r.o.Full.Store(nil)
	case "alloc":
		n, _ := strconv.Atoi(arg(d, "n"))
		first, ok := w.meta.Oracle.Alloc(n, w.env.now, w.env.wall)
		w.say("%d %v", first, ok)
	case "extend":
		w.metaR.Step(ExtendOracle{})
	case "depose-meta":
		w.depose(w.metaR)
	default:
		w.tb.Fatalf("no command %q", d.Cmd)
	}
}

func (w *world) writes(d *datadriven.TestData, name string) {
	base := w.atOr(arg(d, "base"), w.timestamp)
	reads := txn.ReadSet{MaxTS: txn.Forever}
	readAt := txn.Timestamp(0)
	if d.HasArg("read-at") {
		readAt = w.at(arg(d, "read-at"))
	}
	age := w.age(d, base)
	p := txn.Program{Annotation: txn.Annotation{Principal: arg(d, "who"), Message: arg(d, "why")}}
	ops := &p.Then
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		switch f[0] {
		case "seen":
			reads.Keys = append(reads.Keys, txn.Seen{Key: key(f[1]), TS: w.at(f[2])})
		case "span":
			reads.Spans = append(reads.Spans, seenSpan(f, readAt))
		case "if":
			p.If = w.test(f[1:])
		case "else":
			ops = &p.Else
		default:
			*ops = append(*ops, operation(w, f))
		}
	}
	maxTS := w.atOr(arg(d, "max"), forever)
	var q *txn.Request
	if d.HasArg("request") {
		q = &txn.Request{ID: txn.HashRequestID([]byte(arg(d, "request"))), Fingerprint: p.Fingerprint()}
		if d.HasArg("since") {
			q.Since = w.at(arg(d, "since"))
		}
		if d.HasArg("asks") { // for something that comes to these operations
			q.Fingerprint, _ = strconv.ParseUint(arg(d, "asks"), 10, 64)
		}
	}
	if d.Cmd == "commit" {
		m := &shardrpc.CommitRequest{Target: w.target(d), Txn: id(arg(d, "txn")), Age: age,
			BaseTS: base, MaxTS: maxTS, Reads: reads, Program: p, Request: q}
		if m.Anchor = p.Anchor(); d.HasArg("anchor") {
			m.Anchor = key(arg(d, "anchor"))
		}
		w.request(name, m)
		return
	}
	m := &shardrpc.PrewriteRequest{Target: w.target(d), Txn: id(arg(d, "txn")), Age: age, BaseTS: base,
		MaxTS: maxTS, Primary: key(arg(d, "primary")), Reads: reads, Request: q, Annotation: p.Annotation}
	w.record(d, m)
	for _, o := range p.Then {
		kind := map[txn.OpKind]txn.Kind{
			txn.OpSet: txn.KindSet, txn.OpDelete: txn.KindDelete, txn.OpExtend: txn.KindExtend}[o.Kind]
		m.Writes = append(m.Writes, txn.Write{Key: o.Key, Kind: kind, Value: o.Value, TTL: o.TTL,
			NoHistory: o.NoHistory})
	}
	w.request(name, m)
}

// record is what prewrite says of it: record, or staging=KEYS.
func (w *world) record(d *datadriven.TestData, m *shardrpc.PrewriteRequest) {
	switch {
	case d.HasArg("staging"):
		m.Record, m.Keys = txn.Staging, keyList(arg(d, "staging"))
	case d.HasArg("record"):
		m.Record = txn.Pending
	}
}

func keyList(s string) []txn.Key {
	var keys []txn.Key
	if s != "" {
		for _, k := range strings.Split(s, ",") {
			keys = append(keys, key(k))
		}
	}
	return keys
}

// test is what stands behind `if`.
func (w *world) test(f []string) txn.Test {
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			w.tb.Fatal(err)
		}
		return n
	}
	is := func(s string) txn.Relation {
		return txn.Relation(slices.Index([]string{"=", "!=", "<", "<=", ">", ">="}, s))
	}
	switch f[0] {
	case "count":
		return txn.Test{Kind: txn.TestCount, Span: txn.Span{Start: key(f[1]), End: key(f[2])},
			Is: is(f[3]), N: number(f[4])}
	case "unchanged":
		return txn.Test{Kind: txn.TestUnchanged, Span: txn.Span{Start: key(f[1]), End: key(f[2])},
			Since: w.at(f[3])}
	case "revision":
		return txn.Test{Kind: txn.TestCompare, Attribute: txn.AttributeRevision, Key: key(f[1]),
			Is: is(f[2]), N: number(f[3])}
	}
	return txn.Test{Key: key(f[0]), Cond: cond(f[1:])}
}

func cond(f []string) txn.Cond {
	switch f[0] {
	case "absent":
		return txn.Cond{Absent: true}
	case "present":
		return txn.Cond{Present: true}
	default:
		v := txn.StringValue(f[1])
		return txn.Cond{Value: &v}
	}
}

func operation(w *world, f []string) txn.Op {
	o := txn.Op{Key: key(f[1])}
	switch f[0] {
	case "get":
	case "set":
		o.Kind, o.Value = txn.OpSet, txn.StringValue(f[2])
		if n, ok := strings.CutPrefix(f[2], "bytes:"); ok {
			size, _ := strconv.Atoi(n)
			o.Value = txn.BytesValue(make([]byte, size))
		}
		if o.NoHistory = f[len(f)-1] == "norev"; o.NoHistory {
			f = f[:len(f)-1]
		}
		if len(f) > 3 {
			o.TTL, _ = strconv.ParseInt(f[3], 10, 64)
		}
	case "del":
		o.Kind = txn.OpDelete
	case "extend":
		o.Kind = txn.OpExtend
		o.TTL, _ = strconv.ParseInt(f[2], 10, 64)
	case "range":
		o = txn.Op{Kind: txn.OpRange, Span: txn.Span{Start: key(f[1]), End: key(f[2])}}
	default:
		w.tb.Fatalf("no operation %q", f[0])
	}
	return o
}

func (w *world) control(d *datadriven.TestData, name string) {
	t := id(arg(d, "txn"))
	base := w.atOr(arg(d, "base"), w.timestamp)
	switch d.Cmd {
	case "decide":
		m := &shardrpc.DecideRequest{Target: w.target(d), Txn: t, Primary: key(arg(d, "primary")),
			BaseTS: base, From: txn.In(txn.Pending, txn.Staging), To: txn.Committed}
		if d.HasArg("abort") {
			m.From, m.To = txn.In(txn.Absent, txn.Pending, txn.Staging), txn.Aborted
		} else {
			m.CommitTS = w.at(arg(d, "commit"))
		}
		w.request(name, m)
	case "resolve":
		m := &shardrpc.ResolveRequest{Target: w.target(d), Txn: t, BaseTS: base}
		if d.HasArg("commit") {
			m.Commit, m.CommitTS = true, w.at(arg(d, "commit"))
		}
		m.Keys = keyList(arg(d, "keys"))
		if d.HasArg("done") {
			m.Done = key(arg(d, "done"))
		}
		w.request(name, m)
	case "query-intents":
		w.request(name, &shardrpc.QueryIntentsRequest{Target: w.target(d), Txn: t, BaseTS: base,
			Keys: keyList(arg(d, "keys"))})
	case "query":
		w.request(name, &shardrpc.QueryRequest{Target: w.target(d), Txn: t,
			Primary: key(arg(d, "primary")), BaseTS: base})
	case "stale":
		w.request(name, &shardrpc.StaleRequest{Target: w.target(d)})
	case "session":
		w.requestTo(w.metaR, name, &shardrpc.SessionRequest{Address: "test", Sole: d.HasArg("sole"),
			Leased: d.HasArg("leased"),
			Target: shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1}})
	case "find-session":
		n, _ := strconv.ParseUint(arg(d, "session"), 10, 32)
		w.requestTo(w.metaR, name, &shardrpc.FindSessionRequest{Session: uint32(n),
			Target: shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1}})
	case "renew":
		n, _ := strconv.ParseUint(arg(d, "session"), 10, 32)
		w.requestTo(w.metaR, name, &shardrpc.RenewRequest{Session: uint32(n),
			Target: shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1}})
	}
}

// seenSpan is a line "span START END".
func seenSpan(f []string, at txn.Timestamp) txn.SeenSpan {
	return txn.SeenSpan{Span: txn.Span{Start: key(f[1]), End: key(f[2])}, At: at}
}

// look runs a read or a validation; it may wait, and then says so.
func (w *world) look(d *datadriven.TestData, name string) {
	at := w.atOr(arg(d, "at"), w.timestamp)
	ended := false
	if d.Cmd == "validate" {
		m := &shardrpc.ValidateRequest{Target: w.target(d), Txn: id(arg(d, "txn")), At: at}
		readAt := w.at(arg(d, "read-at"))
		for line := range strings.Lines(d.Input) {
			if f := strings.Fields(line); f[0] == "seen" {
				m.Reads.Keys = append(m.Reads.Keys, txn.Seen{Key: key(f[1]), TS: w.at(f[2])})
			} else {
				m.Reads.Spans = append(m.Reads.Spans, seenSpan(f, readAt))
			}
		}
		w.env.run(func() {
			resp, err := w.r.Validate(context.Background(), m)
			ended = true
			if err != nil {
				w.say("%s: %v", name, err)
				return
			}
			w.say("%s: %s", name, reply(resp))
		})
	} else {
		m := w.readRequest(d, at)
		w.env.run(func() {
			resp, err := w.r.Read(context.Background(), m)
			ended = true
			if err != nil {
				w.say("%s: %v", name, err)
				return
			}
			w.say("%s: %s", name, seen(m, resp))
		})
	}
	if !ended {
		w.say("%s waits", name)
	}
}

func (w *world) readRequest(d *datadriven.TestData, at txn.Timestamp) *shardrpc.ReadRequest {
	m := &shardrpc.ReadRequest{Target: w.target(d), At: at}
	if s := arg(d, "scan"); s != "" {
		from, to, _ := strings.Cut(s, ",")
		m.Scan = &shardrpc.Scan{Span: txn.Span{Start: key(from), End: key(to)}}
		if since := arg(d, "since"); since != "" {
			m.Scan.Since = w.at(since)
		}
	}
	m.Keys = keyList(arg(d, "keys"))
	if d.HasArg("history") {
		m.History = &shardrpc.History{From: w.atOr(arg(d, "history"), func() txn.Timestamp { return at }),
			KeysOnly: d.HasArg("keys-only")}
		m.History.Limit, _ = strconv.Atoi(arg(d, "limit"))
		m.History.Bytes, _ = strconv.Atoi(arg(d, "bytes"))
	}
	if n, err := strconv.ParseInt(arg(d, "revision"), 10, 64); err == nil {
		m.Revision = &n
	}
	return m
}

// history is in lines, newest first.
func history(k txn.Key, resp *shardrpc.ReadResponse) string {
	s := "history"
	for i := range resp.Versions {
		v := &resp.Versions[i]
		s += "\n  " + version(k, v)
		if v.Principal != "" || v.Message != "" {
			s += fmt.Sprintf(" %s: %s", v.Principal, v.Message)
		}
	}
	if resp.Next != 0 {
		s += fmt.Sprintf("\n  more from %d", resp.Next)
	}
	return s
}

func seen(m *shardrpc.ReadRequest, resp *shardrpc.ReadResponse) string {
	switch {
	case resp.Err != nil:
		return resp.Err.Error()
	case resp.Moved:
		return "moved"
	case resp.Retry:
		return "retry"
	case resp.Blocked != nil:
		s := "blocked"
		for i := range resp.Blocked {
			s += " " + blocked(&resp.Blocked[i])
		}
		return s
	}
	if m.History != nil {
		return history(m.Keys[0], resp)
	}
	if m.Scan != nil && m.Scan.Since != 0 {
		return fmt.Sprintf("changed=%v expiry=%d", resp.Changed, resp.Expiry)
	}
	var s []string
	for i, k := range m.Keys {
		s = append(s, version(k, &resp.Versions[i]))
	}
	if len(s)+len(resp.Entries) == 0 {
		return "nothing"
	}
	return strings.Join(s, " ") + entries(resp.Entries)
}
