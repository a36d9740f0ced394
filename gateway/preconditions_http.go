package gateway

import (
	"net/http"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

const (
	reasonCondition = "condition_unsupported"
	reasonParameter = "parameter_invalid"
)

// preconditions are the condition headers of a request, nil where not given. Both must hold.
type preconditions struct {
	match, unless *tagList
}

// preconditionsOf reads the headers of RFC 9110, 13.1. Those with a time are of no use: no answer
// has a Last-Modified. A read passes them over, as it should; a write for which one would be the
// only condition is refused.
func preconditionsOf(r *http.Request) (p preconditions, failed *txn.Error) {
	if p.match, failed = parseTags(r.Header, "If-Match"); failed != nil {
		return p, failed
	}
	if p.unless, failed = parseTags(r.Header, "If-None-Match"); failed != nil {
		return p, failed
	}
	write := r.Method != http.MethodGet && r.Method != http.MethodHead
	if write && p.match == nil && len(r.Header.Values("If-Unmodified-Since")) > 0 {
		return p, badRequest(reasonCondition, "If-Unmodified-Since is not taken here; use If-Match")
	}
	return p, nil
}

// read is the status of a read of the version, in the order of RFC 9110, 13.2.2.
func (p *preconditions) read(of parsedTag) int {
	switch {
	case p.match != nil && !p.match.has(of, false):
		return http.StatusPreconditionFailed
	case p.unless != nil && p.unless.has(of, true):
		return http.StatusNotModified
	}
	return http.StatusOK
}

// alone is what a write can say by itself: at most one header, with a star or one tag. ok is false
// for what takes a transaction.
func (p *preconditions) alone() (c *cairnv1.WriteConditions, ok bool) {
	switch m := p.match; {
	case m == nil && p.unless == nil:
		return nil, true
	case m == nil:
		return &cairnv1.WriteConditions{IfAbsent: true}, p.unless.any
	case p.unless != nil:
		return nil, false
	case m.any:
		return &cairnv1.WriteConditions{IfPresent: true}, true
	case len(m.tags) != 1 || m.tags[0].weak:
		return nil, false
	default:
		c = &cairnv1.WriteConditions{IfRevision: &m.tags[0].revision}
		if ts := &m.tags[0].commitTS; *ts != 0 {
			c.IfCommitTs = ts
		}
		return c, true
	}
}

// tests are the same as the conditions of a transaction.
func (p *preconditions) tests(keyspace string, key []byte) []*cairnv1.Condition {
	var tests []*cairnv1.Condition
	if p.match != nil {
		tests = append(tests, p.match.test(keyspace, key, false))
	}
	if p.unless != nil {
		tests = append(tests, &cairnv1.Condition{Test: &cairnv1.Condition_Not{
			Not: p.unless.test(keyspace, key, true),
		}})
	}
	return tests
}

// test holds if the key is at a version of the list, whatever its representation.
func (l *tagList) test(keyspace string, key []byte, weakly bool) *cairnv1.Condition {
	compare := func(c *cairnv1.Compare) *cairnv1.Condition {
		c.Keyspace, c.Key = keyspace, key
		return &cairnv1.Condition{Test: &cairnv1.Condition_Compare{Compare: c}}
	}
	var one []*cairnv1.Condition // of these has to hold
	if l.any {
		one = append(one, compare(&cairnv1.Compare{Target: &cairnv1.Compare_Exists{Exists: true}}))
	}
	for _, t := range l.tags {
		if t.weak && !weakly {
			continue
		}
		both := []*cairnv1.Condition{
			compare(&cairnv1.Compare{Target: &cairnv1.Compare_Revision{Revision: t.revision}}),
		}
		if t.commitTS != 0 {
			both = append(both,
				compare(&cairnv1.Compare{Target: &cairnv1.Compare_CommitTs{CommitTs: t.commitTS}}))
		}
		one = append(one, &cairnv1.Condition{Test: &cairnv1.Condition_All{
			All: &cairnv1.ConditionList{Conditions: both},
		}})
	}
	return &cairnv1.Condition{Test: &cairnv1.Condition_Any{
		Any: &cairnv1.ConditionList{Conditions: one},
	}}
}

// conditionally does op if the conditions hold, in a transaction. exists is what is there if they
// do not; otherwise done is what came of op.
func (g *Gateway) conditionally(
	r *http.Request, t *httpTarget, p *preconditions, op *cairnv1.Op, n note,
) (done *cairnv1.OpResult, exists *cairnv1.ExistsResponse, failed *txn.Error) {
	resp, failed := call(r.Context(), g, methodExecute, &cairnv1.ExecuteRequest{
		If: p.tests(t.keyspace, t.key), Then: []*cairnv1.Op{op},
		Else: []*cairnv1.Op{{Request: &cairnv1.Op_Exists{
			Exists: &cairnv1.ExistsRequest{Keyspace: t.keyspace, Key: t.key},
		}}},
		RequestId: n.requestID, Message: n.message,
	}, (*Gateway).executeProgram)
	switch {
	case failed != nil:
		return nil, nil, failed
	case resp.GetSucceeded():
		return resp.GetResults()[0], nil, nil
	default:
		return nil, resp.GetResults()[0].GetExists(), nil
	}
}

// errTransaction refuses conditions that take a transaction where there can be none.
func errTransaction() *txn.Error {
	return badRequest(reasonCondition, "an ephemeral key is in no transaction; "+
		"If-Match with one tag or *, or If-None-Match: * can be given")
}
