package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// reasonRequestAborted is what a request gets about which somebody was told that it had not
// happened.
const reasonRequestAborted = "request_aborted"

// reasonRequestEarly is what a request gets that is dated by a timestamp of the future.
const reasonRequestEarly = "request_id_early"

// anchor is the key at which a server remembers a request. Nil key: it remembers none.
type anchor struct {
	keyspace string
	key      []byte
}

// lower makes a the smaller of itself and a key of the same keyspace.
func (a *anchor) lower(key []byte) {
	if a.key == nil || string(key) < string(a.key) {
		a.key = key
	}
}

// rangeAnchor is where a selection begins, or where its pattern can first match, if that is later;
// see txn.Op.Anchor. Of all keys there is it is the least that there could be.
func rangeAnchor(keyspace string, sel *cairnv1.Selection) anchor {
	key := []byte{0}
	later := func(start []byte) {
		if bytes.Compare(start, key) > 0 {
			key = start
		}
	}
	switch by := sel.GetBy().(type) {
	case *cairnv1.Selection_Prefix:
		later(by.Prefix)
	case *cairnv1.Selection_Bucket:
		later(append(slices.Clone(by.Bucket), '/'))
	case *cairnv1.Selection_Span:
		later(by.Span.GetStart())
	}
	prefix, _ := txn.Glob(sel.GetGlob()).Prefix()
	later(prefix)
	return anchor{keyspace, key}
}

// anchorOf is the smallest key that a one-shot transaction may write. Who does not know how the
// server orders keyspaces does not know it either where there are several.
func anchorOf(branches ...[]*cairnv1.Op) anchor {
	var a anchor
	found := false
	for _, ops := range branches {
		for _, op := range ops {
			at, writes := writtenBy(op)
			switch {
			case !writes:
			case found && at.keyspace != a.keyspace:
				return anchor{}
			case !found:
				a, found = at, true
			default:
				a.lower(at.key)
			}
		}
	}
	return a
}

func writtenBy(op *cairnv1.Op) (at anchor, writes bool) {
	switch r := op.GetRequest().(type) {
	case *cairnv1.Op_Set:
		return anchor{r.Set.Keyspace, r.Set.Key}, true
	case *cairnv1.Op_Delete:
		return anchor{r.Delete.Keyspace, r.Delete.Key}, true
	case *cairnv1.Op_Extend:
		return anchor{r.Extend.Keyspace, r.Extend.Key}, true
	case *cairnv1.Op_Update:
		return anchor{r.Update.Keyspace, r.Update.Key}, true
	case *cairnv1.Op_DeleteRange:
		return rangeAnchor(r.DeleteRange.Keyspace, r.DeleteRange.Select), !r.DeleteRange.DryRun
	case *cairnv1.Op_Revert:
		if key := r.Revert.GetKey(); key != nil {
			return anchor{r.Revert.Keyspace, key}, !r.Revert.DryRun
		}
		return rangeAnchor(r.Revert.Keyspace, r.Revert.GetSelect()), !r.Revert.DryRun
	}
	return anchor{}, false
}

// nameRequest draws a request_id for a call that has room for one, unless the user gave it, or it
// is about ephemeral keys: of them nobody remembers requests.
func (r *repeater) nameRequest(c *call) {
	if c.request == nil || c.effect != commits || len(*c.request) > 0 || r.anonymous ||
		c.ephemeral() {
		return
	}
	var random [txn.RequestRandomBytes]byte // so that nobody draws the same ones twice
	_, _ = rand.Read(random[:])             // it never fails
	*c.request = txn.DatedRequestID(txn.Timestamp(r.newest.Load()), random)
}

// learn raises what the requests to come are dated by.
func (r *repeater) learn(res proto.Message) {
	var ts int64
	switch m := res.(type) {
	case interface{ GetCommitTs() int64 }:
		ts = m.GetCommitTs()
	case interface{ GetReadTs() int64 }:
		ts = m.GetReadTs()
	}
	for old := r.newest.Load(); ts > old && !r.newest.CompareAndSwap(old, ts); {
		old = r.newest.Load()
	}
}

// ephemeral reports whether c is about ephemeral keys.
func (c *call) ephemeral() bool {
	d, ok := c.req.(interface{ GetDurability() cairnv1.Durability })
	return ok && d.GetDurability() == cairnv1.Durability_DURABILITY_EPHEMERAL
}

// token names c's outcome, of which the first copy was not sent before since;
// empty where the server remembers nothing.
func (c *call) token(since txn.Timestamp) string {
	if c.request == nil || len(*c.request) == 0 || c.ephemeral() {
		return ""
	}
	id := txn.HashRequestID(*c.request)
	t := token.Token{Since: since}
	switch {
	case c.commits != nil: // which is dated by the oracle
		t = *c.commits
	case c.anchor.key != nil:
		t.Keyspace, t.Anchor = cmp.Or(c.anchor.keyspace, DefaultKeyspace), c.anchor.key
	default:
		return ""
	}
	t.ID = id
	return t.String()
}

// pursuit finds out what became of a call of which one copy may have been carried out: by sending
// it again under the same request_id, or by asking. Whatever else a later copy is told is about
// that copy alone.
type pursuit struct {
	r       *repeater
	c       *call
	token   string
	unknown *txn.Error // what the caller gets who learns nothing more
}

// pursue ends with the truth, or with unknown once ctx is done.
func (r *repeater) pursue(
	ctx context.Context, c *call, unknown *txn.Error, since txn.Timestamp,
) error {
	// The first copy may be what the server speaks of. Its clock is the oracle's.
	if t, err := token.Parse(unknown.Token); err == nil {
		since = min(since, t.Since)
	}
	p := pursuit{r: r, c: c, token: c.token(since), unknown: unknown}
	if p.token == "" {
		return unknown
	}
	unknown.Token = p.token
	if _, ok := ctx.Deadline(); !ok {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, r.patience)
		defer cancel()
	}
	for attempt := 1; backoff(ctx, attempt) == nil; attempt++ {
		step := p.repeat
		if c.method == cairnv1.Method_METHOD_TXN_COMMIT { // its transaction may be gone by now
			step = p.askForCommit
		}
		if over, err := step(ctx); over {
			return err
		}
	}
	return unknown
}

// repeat sends one more copy. One that is refused for good says nothing about the first.
func (p *pursuit) repeat(ctx context.Context) (over bool, err error) {
	err = p.r.next.call(ctx, p.c)
	if err == nil {
		return true, nil
	}
	if errors.Is(err, errClosed) {
		return true, p.unknown
	}
	e := p.r.classify(p.c, err)
	if e.Reason == reasonRequestAborted {
		return true, e
	}
	switch e.Kind {
	case txn.Unknown, txn.Unavailable, txn.Moved, txn.Conflict, txn.Wounded, txn.Deadline,
		txn.Exhausted:
		return false, nil
	}
	state, over := p.ask(ctx)
	if state.State == Aborted {
		return true, e
	}
	return over, p.unknown // of one that was committed the next copy answers what came of it
}

// askForCommit makes an answer to a commit of what is remembered of it.
func (p *pursuit) askForCommit(ctx context.Context) (over bool, err error) {
	out, over := p.ask(ctx)
	switch out.State {
	case Committed:
		p.c.res = &cairnv1.CommitResponse{CommitTs: int64(out.CommitTS)}
		return true, nil
	case Aborted:
		return true, &txn.Error{
			Kind: txn.Conflict, Op: p.c.op(), Reason: out.Reason,
			Err: errors.New("the commit was aborted, and its answer got lost"),
		}
	}
	return over, p.unknown
}

// ask asks once. It is over if nobody will ever know better.
func (p *pursuit) ask(ctx context.Context) (out CommitOutcome, over bool) {
	c := outcomeCall(p.token)
	if err := p.r.next.call(ctx, c); err != nil {
		switch p.r.classify(c, err).Kind {
		case txn.Unavailable, txn.Moved, txn.Deadline, txn.Exhausted:
			return CommitOutcome{}, errors.Is(err, errClosed)
		}
		return CommitOutcome{}, true
	}
	return outcomeFromWire(c.res.(*cairnv1.OutcomeResponse)), false
}

func outcomeCall(token string) *call {
	return &call{
		method: cairnv1.Method_METHOD_TXN_OUTCOME,
		req:    &cairnv1.OutcomeRequest{Token: token},
		res:    &cairnv1.OutcomeResponse{},
	}
}

// CommitState is what is known of a commit.
type CommitState uint8

// What a commit can have come to.
const (
	Undecided CommitState = iota // nobody can tell now; ask again
	Committed
	Aborted // it did not happen and never will
)

// CommitOutcome is what became of a commit.
type CommitOutcome struct {
	State    CommitState
	CommitTS Timestamp // of a Committed one
	Reason   string    // why it is not
}

func outcomeFromWire(res *cairnv1.OutcomeResponse) CommitOutcome {
	out := CommitOutcome{CommitTS: Timestamp(res.CommitTs), Reason: res.Reason}
	switch res.Outcome {
	case cairnv1.CommitOutcome_COMMIT_OUTCOME_COMMITTED:
		out.State = Committed
	case cairnv1.CommitOutcome_COMMIT_OUTCOME_ABORTED:
		out.State = Aborted
	}
	return out
}

// CommitOutcome asks what became of a commit that ended with txn.Unknown; the token is
// OutcomeToken of that error. The SDK has done so itself until the context of the call was done.
// What had not happened when this was asked never will.
func (db *DB) CommitOutcome(ctx context.Context, token string) (CommitOutcome, error) {
	c := outcomeCall(token)
	if err := db.do(ctx, c); err != nil {
		return CommitOutcome{}, err
	}
	return outcomeFromWire(c.res.(*cairnv1.OutcomeResponse)), nil
}
