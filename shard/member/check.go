package member

import (
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// Each check is about one concern of what came from another process. The first
// problem refuses the request as a whole.

// addressBytesMax bounds what a gateway says about itself.
const addressBytesMax = 256

// keyBytesMin is the keyspace in front of every user's key.
const keyBytesMin = 4

func invalid(format string, args ...any) error {
	return txn.Errorf(txn.Invalid, "request_invalid", format, args...)
}

// firstOf is the first of some problems.
func firstOf(problems ...error) error {
	for _, err := range problems {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkData refuses requests for keys of the meta group, which has none.
func checkData(t shardrpc.Target) error {
	if t.Shard == shardrpc.MetaShard {
		return invalid("the meta group has no keys")
	}
	return nil
}

func checkMeta(t shardrpc.Target) error {
	if t.Shard != shardrpc.MetaShard {
		return invalid("shard %d is not the meta group", t.Shard)
	}
	return nil
}

func checkID(id txn.ID) error {
	if id.Session() == 0 {
		return invalid("transaction %v is of no session", id)
	}
	return nil
}

func checkKey(k txn.Key) error {
	if len(k) < keyBytesMin || len(k) > keyBytesMin+txn.KeyBytesMax {
		return invalid("a key of %d bytes, keyspace included", len(k))
	}
	return nil
}

func checkKeys(keys []txn.Key) error {
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			return err
		}
	}
	return nil
}

// issued is the newest timestamp that the oracle may have issued. One from the
// future would make a replica take every other request for an old one.
type issued txn.Timestamp

func (newest issued) times(times ...txn.Timestamp) error {
	for _, ts := range times {
		if ts <= 0 || ts > txn.Timestamp(newest) {
			return invalid("%d is no timestamp that was issued", ts)
		}
	}
	return nil
}

// checkBound is about MaxTS, which may lie in the future.
func checkBound(ts txn.Timestamp) error {
	if ts <= 0 {
		return invalid("%d is no bound for a commit", ts)
	}
	return nil
}

// checkTTL keeps expiries among the timestamps.
func checkTTL(ms int64) error {
	if ms < 0 || ms > txn.MaxTimestamp.Millis() {
		return invalid("a time to live of %d ms", ms)
	}
	return nil
}

func checkValue(v *txn.Value) error {
	if err := v.Check(); err != nil {
		return invalid("%w", err)
	}
	return nil
}

func checkCond(c *txn.Cond) error {
	if c.Value == nil {
		return nil
	}
	return checkValue(c.Value)
}

// checkTest looks at a whole tree; the decoder has bounded its depth.
func (newest issued) checkTest(t *txn.Test) error {
	var err error
	switch t.Kind {
	case txn.TestNot:
		if len(t.Of) != 1 {
			return invalid("a negation of %d tests", len(t.Of))
		}
	case txn.TestKey:
		if len(t.Key) > 0 || !t.Cond.Empty() {
			err = firstOf(checkKey(t.Key), checkCond(&t.Cond))
		}
	case txn.TestCompare:
		err = firstOf(checkKey(t.Key), checkValue(&t.Value))
	case txn.TestCount:
		if t.N < 0 || t.N > txn.CountMax {
			return invalid("a count of %d keys", t.N)
		}
	case txn.TestUnchanged:
		err = newest.times(t.Since)
	}
	for i := range t.Of {
		err = firstOf(err, newest.checkTest(&t.Of[i]))
	}
	return err
}

func checkOps(ops []txn.Op) error {
	for i := range ops {
		o := &ops[i]
		if o.Kind == txn.OpRange { // a span may begin and end anywhere
			if err := checkFilter(o); err != nil {
				return err
			}
			continue
		}
		err := firstOf(checkKey(o.Key), checkCond(&o.Cond), checkValue(&o.Value), checkTTL(o.TTL),
			checkUpdate(o))
		if err != nil {
			return err
		}
	}
	return nil
}

// checkFilter keeps a bucket within the start of every key of the span.
func checkFilter(o *txn.Op) error {
	f := &o.Filter
	switch {
	case f.Bucket != 0 && (f.Bucket < 4 || f.Bucket > len(o.Span.Start)):
		return invalid("a bucket of %d bytes in a span that begins with %d", f.Bucket, len(o.Span.Start))
	case f.Bucket != 0 && !txn.PrefixSpan(o.Span.Start[:f.Bucket]).Covers(o.Span):
		return invalid("a span that ends outside of its bucket")
	case len(f.Glob) > 0 && len(o.Span.Start) < 4:
		return invalid("a pattern over keys of any keyspace")
	}
	return f.Glob.Check()
}

// checkUpdate makes sure that an operand and its bounds are what their types say.
func checkUpdate(o *txn.Op) error {
	if o.Kind != txn.OpUpdate {
		return nil
	}
	for _, bound := range [2]*txn.Value{o.Lower, o.Upper} {
		if bound != nil {
			if err := checkValue(bound); err != nil {
				return err
			}
		}
	}
	return o.CheckUpdate()
}

func checkReadSet(r *txn.ReadSet) error {
	for i := range r.Keys {
		if err := checkKey(r.Keys[i].Key); err != nil {
			return err
		}
	}
	for i := range r.Spans {
		if at := r.Spans[i].At; at < 0 {
			return invalid("a range was read at %d, which is no timestamp", at)
		}
	}
	return nil
}

// checkWrites wants them in the order of their keys, no two of a key.
func checkWrites(writes []txn.Write) error {
	if n := len(writes); n > txn.WriteKeysMax {
		return invalid("writes of %d keys, the limit is %d", n, txn.WriteKeysMax)
	}
	for i := range writes {
		w := &writes[i]
		if i > 0 && writes[i-1].Key.Compare(w.Key) >= 0 {
			return invalid("writes are not in the order of their keys")
		}
		if err := firstOf(checkKey(w.Key), checkValue(&w.Value), checkTTL(w.TTL)); err != nil {
			return err
		}
	}
	return nil
}

// checkAnnotation also holds writes to their limit: each of them gets a copy. (A
// program is held to it when it runs.)
func checkAnnotation(a *txn.Annotation, writes []txn.Write) error {
	if err := a.Check(); err != nil {
		return invalid("%w", err)
	}
	bytes := len(writes) * a.Size()
	for i := range writes {
		bytes += writes[i].Size()
	}
	if bytes > txn.WriteBytesMax {
		return invalid("writes of %d bytes, the limit is %d", bytes, txn.WriteBytesMax)
	}
	return nil
}

// checkStaged keeps the list of keys of a record to what its leader can read.
func checkStaged(keys []txn.Key) error {
	bytes := 0
	for _, k := range keys {
		bytes += len(k)
	}
	switch n := len(keys); {
	case n > txn.ParallelKeysMax:
		return invalid("a record of %d keys, the limit is %d", n, txn.ParallelKeysMax)
	case bytes > txn.ParallelBytesMax:
		return invalid("a record of keys of %d bytes, the limit is %d", bytes, txn.ParallelBytesMax)
	}
	return checkKeys(keys)
}

// checkRecord wants a record that begins, or at least one write, and keys only
// with a staging one.
func checkRecord(m *shardrpc.PrewriteRequest) error {
	switch {
	case m.Record > txn.Staging:
		return invalid("a prewrite of a record that is %v", m.Record)
	case m.Record == txn.Absent && len(m.Writes) == 0:
		return invalid("a prewrite of nothing")
	case m.Record != txn.Staging && len(m.Keys) > 0:
		return invalid("a list of keys for a record that is %v", m.Record)
	case m.Record == txn.Absent && m.Request != nil:
		return invalid("a request without a record")
	}
	return firstOf(checkKey(m.Primary), checkStaged(m.Keys))
}

// checkMove allows the moves of I5 that a coordinator may ask for.
func checkMove(m *shardrpc.DecideRequest) error {
	undecided := txn.In(txn.Absent, txn.Pending, txn.Staging)
	switch {
	case !m.To.Final() || m.From&^undecided != 0:
		return invalid("a record does not move to %v from %05b", m.To, m.From)
	case m.To == txn.Aborted:
		return nil
	case m.From.Has(txn.Absent):
		return invalid("a commit without a record")
	case m.CommitTS < m.BaseTS:
		return invalid("a commit at %d, before base_ts %d", m.CommitTS, m.BaseTS)
	}
	return nil
}

// checkOutcome wants a timestamp of a commit and none of an abort.
func (newest issued) checkOutcome(commit bool, at txn.Timestamp) error {
	switch {
	case commit:
		return newest.times(at)
	case at != 0:
		return invalid("an abort at %d", at)
	}
	return nil
}

func checkTimestamp(m *shardrpc.TimestampRequest) error {
	if m.N < 1 || txn.Timestamp(m.N) > meta.Window {
		return invalid("%d timestamps at a time", m.N)
	}
	return nil
}

func (newest issued) checkRead(m *shardrpc.ReadRequest) error {
	if m.Revision != nil && len(m.Keys) == 0 {
		return invalid("a revision of no key")
	}
	at := newest.times(m.At)
	if m.At == 0 && m.Scan == nil && m.History == nil {
		at = nil // as of now
	}
	err := firstOf(checkData(m.Target), at, checkKeys(m.Keys))
	if err == nil && m.Scan != nil && m.Scan.Since != 0 {
		err = newest.times(m.Scan.Since)
	}
	if err == nil && m.History != nil {
		err = checkHistory(m)
	}
	return err
}

// checkHistory wants one key, and a place in what the read sees.
func checkHistory(m *shardrpc.ReadRequest) error {
	h := m.History
	switch {
	case len(m.Keys) != 1:
		return invalid("a history of %d keys", len(m.Keys))
	case h.From <= 0 || h.From > m.At:
		return invalid("a history from %d, read at %d", h.From, m.At)
	case h.Limit < 0 || h.Bytes < 0 || h.Bytes > txn.AnswerBytesMax:
		return invalid("a history of %d versions, %d bytes", h.Limit, h.Bytes)
	}
	return nil
}

func (newest issued) checkCommit(m *shardrpc.CommitRequest) error {
	return firstOf(checkData(m.Target), checkID(m.Txn), newest.times(m.BaseTS), checkBound(m.MaxTS),
		checkReadSet(&m.Reads), newest.checkTest(&m.Program.If),
		checkOps(m.Program.Then), checkOps(m.Program.Else), checkAnchor(m),
		checkAnnotation(&m.Program.Annotation, nil))
}

// checkAnchor wants an anchor for a request and none otherwise.
func checkAnchor(m *shardrpc.CommitRequest) error {
	switch {
	case m.Request != nil:
		return checkKey(m.Anchor)
	case len(m.Anchor) > 0:
		return invalid("an anchor without a request")
	}
	return nil
}

func (newest issued) checkValidate(m *shardrpc.ValidateRequest) error {
	return firstOf(checkData(m.Target), checkID(m.Txn), newest.times(m.At), checkReadSet(&m.Reads))
}

func (newest issued) checkPrewrite(m *shardrpc.PrewriteRequest) error {
	return firstOf(checkData(m.Target), checkID(m.Txn), newest.times(m.BaseTS), checkBound(m.MaxTS),
		checkReadSet(&m.Reads), checkWrites(m.Writes), checkRecord(m),
		checkAnnotation(&m.Annotation, m.Writes))
}

func (newest issued) checkDecide(m *shardrpc.DecideRequest) error {
	err := firstOf(checkData(m.Target), checkID(m.Txn), checkKey(m.Primary),
		newest.times(m.BaseTS), checkMove(m))
	if err == nil {
		err = newest.checkOutcome(m.To == txn.Committed, m.CommitTS)
	}
	return err
}

func (newest issued) checkResolve(m *shardrpc.ResolveRequest) error {
	err := firstOf(checkData(m.Target), checkID(m.Txn), newest.times(m.BaseTS), checkKeys(m.Keys))
	if err == nil && len(m.Done) > 0 {
		err = checkKey(m.Done)
	}
	if err == nil {
		err = newest.checkOutcome(m.Commit, m.CommitTS)
	}
	return err
}

func (newest issued) checkQuery(m *shardrpc.QueryRequest) error {
	return firstOf(checkData(m.Target), checkID(m.Txn), checkKey(m.Primary), newest.times(m.BaseTS))
}

func (newest issued) checkQueryIntents(m *shardrpc.QueryIntentsRequest) error {
	return firstOf(checkData(m.Target), checkID(m.Txn), newest.times(m.BaseTS), checkKeys(m.Keys))
}

func checkStale(m *shardrpc.StaleRequest) error { return checkData(m.Target) }

// checkOwner is about who locks. An age is no timestamp to commit at: it says who
// gives way, and a low priority makes it later than it is.
func (newest issued) checkOwner(id txn.ID, age txn.Age, base txn.Timestamp) error {
	youngest := issued(txn.Timestamp(newest).Add(txn.PrioritySkew))
	return firstOf(checkID(id), checkID(age.ID), newest.times(base), youngest.times(age.At))
}

// checkLock wants something to lock, and not more than a transaction may write.
func (newest issued) checkLock(m *shardrpc.LockRequest) error {
	switch n := len(m.Keys) + len(m.Spans); {
	case n == 0:
		return invalid("a lock of nothing")
	case n > txn.WriteKeysMax:
		return invalid("%d keys and spans to lock, the limit is %d", n, txn.WriteKeysMax)
	case m.Wait < 0:
		return invalid("a wait of %d ms", m.Wait)
	}
	for _, s := range m.Spans {
		if s.Empty() {
			return invalid("a lock of the empty span from %v to %v", s.Start, s.End)
		}
	}
	return firstOf(checkData(m.Target), newest.checkOwner(m.Txn, m.Age, m.BaseTS),
		checkKeys(m.Keys))
}

func (newest issued) checkUnlock(m *shardrpc.UnlockRequest) error {
	return firstOf(checkData(m.Target), newest.checkOwner(m.Txn, m.Age, m.BaseTS))
}

func (newest issued) checkInquire(m *shardrpc.InquireRequest) error {
	return firstOf(checkData(m.Target), newest.times(m.BaseTS), checkKey(m.Anchor))
}

// checkEphemeral wants operations on keys alone. What a batch writes answers no values.
func checkEphemeral(m *shardrpc.EphemeralRequest) error {
	n := len(m.Ops)
	if n == 0 || n > txn.WriteKeysMax {
		return invalid("%d operations on ephemeral keys, not 1 to %d", n, txn.WriteKeysMax)
	}
	for i := range m.Ops {
		if n > 1 && m.Ops[i].ReturnPrev {
			return invalid("a batch asks for what it replaces")
		}
		if err := checkKey(m.Ops[i].Key); err != nil {
			return err
		}
	}
	return firstOf(checkData(m.Target), checkOps(m.Ops))
}

// checkSession: the session of another process ends with it, and ends no
// other's.
func checkSession(m *shardrpc.SessionRequest) error {
	if m.Sole || !m.Leased {
		return txn.Errorf(txn.Invalid, "session_not_leased",
			"a gateway of another process needs a leased session")
	}
	if n := len(m.Address); n > addressBytesMax {
		return invalid("an address of %d bytes, the limit is %d", n, addressBytesMax)
	}
	return checkMeta(m.Target)
}

func checkFindSession(m *shardrpc.FindSessionRequest) error {
	return checkMeta(m.Target)
}

func checkRenew(m *shardrpc.RenewRequest) error {
	return checkMeta(m.Target)
}

func checkReplace(m *shardrpc.ReplaceRequest) error {
	switch n := len(m.Address); {
	case m.New == 0 || m.Old == 0 || m.Nonce == 0:
		return invalid("a replacement of member %d by %d with nonce %d", m.Old, m.New, m.Nonce)
	case n == 0 || n > addressBytesMax:
		return invalid("an address of %d bytes, not 1 to %d", n, addressBytesMax)
	}
	if err := reachable(m.Address); err != nil {
		return invalid("%v", err)
	}
	return checkMeta(m.Target)
}
