package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"unicode/utf8"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// Limits that requests are held to besides those of package txn.
const (
	BatchKeysMax      = 10_000 // keys of one BatchGet
	OpsMax            = 10_000 // operations, and conditions, of one Execute
	ConditionDepthMax = 16
	// TTLMsMax keeps every expiry within what a timestamp can carry.
	TTLMsMax = int64(txn.MaxTimestamp) / 1000 / 2
)

// Reasons that more than one place gives or looks at.
const (
	reasonValueTooLarge = txn.ReasonValueTooLarge
	reasonBodyTooLarge  = "body_too_large"
	reasonEncoding      = "unsupported_encoding"
	reasonCursor        = "cursor_invalid"
	reasonTxnGone       = "transaction_gone"
	reasonGatewayLost   = "gateway_lost"
)

func invalid(reason, format string, args ...any) error {
	return txn.Errorf(txn.Invalid, reason, format, args...)
}

// keyspaceID resolves a keyspace's name; empty is the default.
func (g *Gateway) keyspaceID(ctx context.Context, name string) (txn.KeyspaceID, error) {
	ks, err := g.keyspace(ctx, name)
	if err != nil {
		return 0, err
	}
	return ks.ID, nil
}

// storedKey checks a user's key and joins it with its keyspace.
func (g *Gateway) storedKey(ctx context.Context, keyspace string, user []byte) (txn.Key, error) {
	ks, err := g.keyspaceID(ctx, keyspace)
	if err != nil {
		return nil, err
	}
	return keyIn(ks, user)
}

func keyIn(ks txn.KeyspaceID, user []byte) (txn.Key, error) {
	if len(user) == 0 {
		return nil, invalid("key_empty", "the key is empty; a key has 1 to %d bytes", txn.KeyBytesMax)
	}
	if len(user) > txn.KeyBytesMax {
		return nil, invalid("key_too_long", "the key has %d bytes, the limit is %d",
			len(user), txn.KeyBytesMax)
	}
	return txn.NewKey(ks, user), nil
}

// checkValue holds a value to the size limit and to its type. What fails names key.
func checkValue(v txn.Value, key txn.Key) error {
	var e *txn.Error
	switch {
	case len(v.Data) > txn.ValueBytesMax:
		e = txn.Errorf(txn.Invalid, reasonValueTooLarge, "the value has %d bytes, the limit is %d",
			len(v.Data), txn.ValueBytesMax)
	case v.Type == txn.String && !utf8.Valid(v.Data):
		e = txn.Errorf(txn.Invalid, "value_not_utf8",
			"a string must be UTF-8; byte %d begins no character", invalidUTF8At(v.Data))
	case v.Type == txn.JSON:
		reason := jsonProblem(v.Data)
		if reason == "" {
			return nil
		}
		e = txn.Errorf(txn.Invalid, "value_not_json", "the value is not JSON: %s", reason)
	default:
		return nil
	}
	e.Key = key
	return e
}

func jsonProblem(text []byte) string {
	if !utf8.Valid(text) {
		return "it is not UTF-8"
	}
	if json.Valid(text) {
		return ""
	}
	var discard json.RawMessage
	if err := json.Unmarshal(text, &discard); err != nil {
		return err.Error()
	}
	return "it does not parse"
}

func invalidUTF8At(b []byte) int {
	at := 0
	for at < len(b) {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return at
}

func checkTTL(ms int64) error {
	if ms < 0 {
		return invalid("ttl_negative", "ttl_ms is %d; it must be 0 or more", ms)
	}
	if ms > TTLMsMax {
		return invalid("ttl_too_long", "ttl_ms is %d, the limit is %d", ms, TTLMsMax)
	}
	return nil
}

// pastTime checks a time that a client wants to read at; nil is 0, the latest. Whether it lies in
// the future is for the coordinator to say, since only the oracle knows.
func pastTime(at *int64) (txn.Timestamp, error) {
	if at == nil {
		return 0, nil
	}
	if *at <= 0 || *at > int64(txn.MaxTimestamp) {
		return 0, invalid("as_of_invalid",
			"as_of is %d; it must be microseconds since 1970, from 1 to %d", *at, txn.MaxTimestamp)
	}
	return txn.Timestamp(*at), nil
}

func checkRevision(revision, asOf *int64) error {
	if revision == nil {
		return nil
	}
	if asOf != nil {
		return invalid("revision_and_as_of", "revision and as_of exclude each other; give one")
	}
	if *revision < 0 {
		return invalid("revision_negative", "revision is %d; revisions begin at 0", *revision)
	}
	return nil
}

func checkLimit(limit int64) error {
	if limit < 0 {
		return invalid("limit_negative", "limit is %d; it must be 0 (no limit) or more", limit)
	}
	return nil
}

// clampLimit makes an int of a checked limit.
func clampLimit(limit int64) int { return int(min(limit, math.MaxInt32)) }

// spanIn checks start and end of a range in a keyspace. An end may be one byte longer than a key,
// so that it can be the successor of the longest.
func spanIn(ks txn.KeyspaceID, s *cairnv1.Span) (txn.Span, error) {
	start, end := s.GetStart(), s.GetEnd()
	if len(start) > txn.KeyBytesMax+1 {
		return txn.Span{}, invalid("start_too_long", "start has %d bytes, the limit is %d",
			len(start), txn.KeyBytesMax)
	}
	if len(end) > txn.KeyBytesMax+1 {
		return txn.Span{}, invalid("end_too_long", "end has %d bytes, the limit is %d",
			len(end), txn.KeyBytesMax)
	}
	if len(end) > 0 && bytes.Compare(start, end) > 0 {
		return txn.Span{}, invalid("start_after_end", "start %v lies behind end %v",
			txn.NewKey(ks, start), txn.NewKey(ks, end))
	}
	span := txn.PrefixSpan(txn.NewKey(ks, nil))
	span.Start = txn.NewKey(ks, start)
	if len(end) > 0 {
		span.End = txn.NewKey(ks, end)
	}
	return span, nil
}

// condition checks the conditions of a write and says which contradict each other.
func condition(c *cairnv1.WriteConditions, key txn.Key) (txn.Cond, error) {
	var cond txn.Cond
	if c == nil {
		return cond, nil
	}
	cond.Absent, cond.Present = c.GetIfAbsent(), c.GetIfPresent()
	if c.IfRevision != nil {
		if *c.IfRevision < txn.NoRevision {
			return cond, invalid("if_revision_invalid",
				"if_revision is %d; it must be 0 or more, or -1 for a missing key", *c.IfRevision)
		}
		cond.Revision = c.IfRevision
	}
	if c.IfCommitTs != nil {
		if *c.IfCommitTs <= 0 {
			return cond, invalid("if_commit_ts_invalid",
				"if_commit_ts is %d; it must be positive", *c.IfCommitTs)
		}
		at := txn.Timestamp(*c.IfCommitTs)
		cond.CommitTS = &at
	}
	if c.IfValue != nil {
		v, err := storedValue(c.IfValue, key)
		if err != nil {
			return cond, err
		}
		cond.Value = &v
	}
	return cond, contradiction(&cond)
}

func contradiction(c *txn.Cond) error {
	missing, exists := "", ""
	switch {
	case c.Absent:
		missing = "if_absent"
	case c.Revision != nil && *c.Revision == txn.NoRevision:
		missing = "if_revision=-1"
	}
	switch {
	case c.Present:
		exists = "if_present"
	case c.Value != nil:
		exists = "if_value"
	case c.CommitTS != nil:
		exists = "if_commit_ts"
	case c.Revision != nil && *c.Revision >= 0:
		exists = "if_revision"
	}
	if missing != "" && exists != "" {
		return invalid("conditions_contradict",
			"%s wants the key to be missing and %s wants it to exist", missing, exists)
	}
	return nil
}
