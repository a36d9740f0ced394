package gateway

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// deadlineMax is how far away a deadline may be: a later one would mean nothing, and could lie
// behind the end of the clock.
const deadlineMax = 24 * time.Hour

// deadline is that of ctx by Env.Now; 0 if it has none. One that has passed stays a deadline.
func (g *Gateway) deadline(ctx context.Context) time.Duration {
	at, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(g.Env.Now()+min(time.Until(at), deadlineMax), 1)
}

// pointRead names one version of one key.
type pointRead struct {
	txn      string
	key      txn.Key
	revision *int64
	asOf     *int64
	keysOnly bool
	update   bool // for_update
	req      durable
}

// pointFound is what a pointRead found.
type pointFound struct {
	version *txn.Version  // nil: there is none
	at      txn.Timestamp // when that was so
	next    string        // the handle to use next
}

func (g *Gateway) readPoint(ctx context.Context, p pointRead) (pointFound, error) {
	if req, ok := ephemeral(p.req); ok {
		return g.readEphemeral(ctx, req, &p)
	}
	if err := checkRevision(p.revision, p.asOf); err != nil {
		return pointFound{}, err
	}
	if p.txn != "" {
		return g.readPointIn(ctx, p)
	}
	if p.update {
		return pointFound{}, errUpdateOutside()
	}
	at, err := pastTime(p.asOf)
	if err != nil {
		return pointFound{}, err
	}
	return g.readVersion(ctx, p, at)
}

func (g *Gateway) readVersion(
	ctx context.Context, p pointRead, at txn.Timestamp,
) (found pointFound, err error) {
	versions, at, err := g.Coordinator.Get(ctx, coordinator.Read{
		At: at, Keys: []txn.Key{p.key}, Revision: p.revision, Deadline: g.deadline(ctx),
	})
	if err != nil {
		return found, err
	}
	v := &versions[0]
	found.at = at
	if p.revision != nil { // history stays readable when the key has expired
		at = v.TS
	}
	if v.Live(at) {
		found.version = v
	}
	return found, nil
}

// readPointIn reads inside an open transaction. A revision of the past is no state of the key, but
// whether it exists by now is: the key is read too, so that the commit watches over it.
func (g *Gateway) readPointIn(ctx context.Context, p pointRead) (found pointFound, err error) {
	if p.asOf != nil {
		return found, errAsOfInTxn()
	}
	next, err := g.held.use(ctx, p.txn, func(ctx context.Context, t *coordinator.Txn) error {
		op := &txn.Op{Kind: txn.OpGet, Key: p.key, KeysOnly: p.keysOnly}
		res, err := g.readIn(ctx, t, op, p.update)
		if err != nil {
			return err
		}
		if p.revision != nil && !(res.OK && res.Entry.Revision == *p.revision) {
			found, err = g.readVersion(ctx, p, t.ReadTS())
			return err
		}
		if found.at = t.ReadTS(); res.OK {
			found.version = &res.Entry.Version
			undate(found.version, found.at)
		}
		return nil
	})
	found.next = next
	return found, err
}

// readIn runs one reading operation of an open transaction.
func (g *Gateway) readIn(
	ctx context.Context, t *coordinator.Txn, op *txn.Op, update bool,
) (txn.Result, error) {
	if update {
		return t.DoForUpdate(ctx, op, g.deadline(ctx))
	}
	return t.Do(ctx, op, g.deadline(ctx))
}

func errUpdateOutside() error {
	return invalid("for_update_outside", "for_update means something inside a transaction only")
}

// undate takes the times off what an open transaction wrote itself: it has not committed. Its
// buffer dates such versions by the snapshot, and no transaction's id is zero.
func undate(v *txn.Version, snapshot txn.Timestamp) {
	if v.Txn != 0 || v.TS != snapshot {
		return
	}
	if v.TS = 0; v.CreateTS == snapshot {
		v.CreateTS = 0
	}
}

func errAsOfInTxn() error {
	return invalid("as_of_in_transaction",
		"a transaction reads at one time only; give as_of to Begin instead")
}

// write runs the operation that m asks for, in the open transaction that it names or in its own.
// next is the handle to use next.
func (g *Gateway) write(
	ctx context.Context, m mutation, op *txn.Op,
) (res txn.Result, next string, err error) {
	if req, ok := ephemeral(m); ok {
		res, _, err = g.doEphemeral(ctx, req, op)
		return res, "", err
	}
	request, err := g.requestOf(m)
	if err != nil {
		return res, "", err
	}
	ops := []txn.Op{*op}
	if m.GetTxn() != "" {
		if err := g.applyOptions(ops); err != nil {
			return res, "", err
		}
		op = &ops[0]
		next, err = g.held.use(ctx, m.GetTxn(), func(ctx context.Context, t *coordinator.Txn) error {
			res, err = t.Do(ctx, op, g.deadline(ctx))
			return err
		})
		return res, next, err
	}
	done, err := g.execute(ctx, &txn.Program{
		Then: ops, Annotation: txn.Annotation{Message: m.GetMessage()},
	}, request)
	if err != nil {
		return res, "", err
	}
	return done.Results[0], "", nil
}

func (g *Gateway) get(
	ctx context.Context, req *cairnv1.GetRequest,
) (*cairnv1.GetResponse, error) {
	if req.GetBegin() == nil {
		return g.getIn(ctx, req, req.GetTxn())
	}
	var resp *cairnv1.GetResponse
	begun, err := g.opening(ctx, req, func(handle string) (err error) {
		resp, err = g.getIn(ctx, req, handle)
		return err
	})
	if err != nil {
		return nil, err
	}
	resp.Begun = begun
	return resp, nil
}

// getIn reads in the open transaction of a handle; without one, in one of its own.
func (g *Gateway) getIn(
	ctx context.Context, req *cairnv1.GetRequest, handle string,
) (*cairnv1.GetResponse, error) {
	key, err := g.storedKey(ctx, req.GetKeyspace(), req.GetKey())
	if err != nil {
		return nil, err
	}
	found, err := g.readPoint(ctx, pointRead{
		txn: handle, key: key, revision: req.Revision, asOf: req.AsOf,
		update: req.GetForUpdate(), req: req,
	})
	if err != nil {
		return nil, err
	}
	return getResponse(found.version, found.next), nil
}

// getResponse is the answer of v; nil is not found.
func getResponse(v *txn.Version, handle string) *cairnv1.GetResponse {
	if v == nil {
		return &cairnv1.GetResponse{Revision: txn.NoRevision, Txn: handle}
	}
	return &cairnv1.GetResponse{
		Found:     true,
		Value:     wireValue(v.Value),
		Revision:  v.Revision,
		CommitTs:  int64(v.TS),
		CreateTs:  int64(v.CreateTS),
		ExpiresAt: v.Expiry.Millis(),
		Txn:       handle,
	}
}

func (g *Gateway) exists(
	ctx context.Context, req *cairnv1.ExistsRequest,
) (*cairnv1.ExistsResponse, error) {
	key, err := g.storedKey(ctx, req.GetKeyspace(), req.GetKey())
	if err != nil {
		return nil, err
	}
	found, err := g.readPoint(ctx, pointRead{
		txn: req.GetTxn(), key: key, revision: req.Revision, asOf: req.AsOf, keysOnly: true,
		update: req.GetForUpdate(), req: req,
	})
	if err != nil {
		return nil, err
	}
	return existsResponse(found.version, found.next), nil
}

func existsResponse(v *txn.Version, handle string) *cairnv1.ExistsResponse {
	if v == nil {
		return &cairnv1.ExistsResponse{Revision: txn.NoRevision, Txn: handle}
	}
	return &cairnv1.ExistsResponse{
		Exists:    true,
		Revision:  v.Revision,
		CommitTs:  int64(v.TS),
		CreateTs:  int64(v.CreateTS),
		ExpiresAt: v.Expiry.Millis(),
		Txn:       handle,
	}
}

func (g *Gateway) set(
	ctx context.Context, req *cairnv1.SetRequest,
) (*cairnv1.SetResponse, error) {
	op, err := g.setOp(ctx, req)
	if err != nil {
		return nil, err
	}
	res, next, err := g.write(ctx, req, &op)
	if err != nil {
		return nil, err
	}
	return setResponse(&res, next), nil
}

// setOp checks req.
func (g *Gateway) setOp(ctx context.Context, req *cairnv1.SetRequest) (txn.Op, error) {
	op := txn.Op{
		Kind: txn.OpSet, TTL: req.GetTtlMs(), KeepTTL: req.GetKeepTtl(),
		NoHistory: req.GetNoHistory(), ReturnPrev: req.GetReturnPrev(),
	}
	var err error
	if op.Key, err = g.storedKey(ctx, req.GetKeyspace(), req.GetKey()); err != nil {
		return op, err
	}
	if op.Value, err = storedValue(req.GetValue(), op.Key); err != nil {
		return op, err
	}
	if err = checkTTL(op.TTL); err != nil {
		return op, err
	}
	if op.KeepTTL && op.TTL != 0 {
		return op, invalid("ttl_and_keep_ttl",
			"ttl_ms %d and keep_ttl exclude each other; give one", op.TTL)
	}
	op.Cond, err = condition(req.GetConditions(), op.Key)
	return op, err
}

func setResponse(res *txn.Result, handle string) *cairnv1.SetResponse {
	v := &res.Entry.Version
	return &cairnv1.SetResponse{
		Set:          res.OK,
		Revision:     v.Revision,
		CommitTs:     int64(v.TS),
		CreateTs:     int64(v.CreateTS),
		ExpiresAt:    v.Expiry.Millis(),
		PrevRevision: res.PrevRevision,
		Prev:         prevEntry(res),
		Txn:          handle,
	}
}

func prevEntry(res *txn.Result) *cairnv1.Entry {
	if res.Prev == nil {
		return nil
	}
	return wireEntry(res.Prev.Key, &res.Prev.Version, false)
}

func (g *Gateway) del(
	ctx context.Context, req *cairnv1.DeleteRequest,
) (*cairnv1.DeleteResponse, error) {
	op, err := g.deleteOp(ctx, req)
	if err != nil {
		return nil, err
	}
	res, next, err := g.write(ctx, req, &op)
	if err != nil {
		return nil, err
	}
	return deleteResponse(&res, next), nil
}

func (g *Gateway) deleteOp(ctx context.Context, req *cairnv1.DeleteRequest) (txn.Op, error) {
	op := txn.Op{Kind: txn.OpDelete, ReturnPrev: req.GetReturnPrev()}
	var err error
	if op.Key, err = g.storedKey(ctx, req.GetKeyspace(), req.GetKey()); err != nil {
		return op, err
	}
	op.Cond, err = condition(req.GetConditions(), op.Key)
	return op, err
}

func deleteResponse(res *txn.Result, handle string) *cairnv1.DeleteResponse {
	return &cairnv1.DeleteResponse{
		Deleted:      res.OK,
		Revision:     res.Entry.Revision,
		CommitTs:     int64(res.Entry.TS),
		PrevRevision: res.PrevRevision,
		Prev:         prevEntry(res),
		Txn:          handle,
	}
}

func (g *Gateway) extend(
	ctx context.Context, req *cairnv1.ExtendRequest,
) (*cairnv1.ExtendResponse, error) {
	op, err := g.extendOp(ctx, req)
	if err != nil {
		return nil, err
	}
	res, next, err := g.write(ctx, req, &op)
	if err != nil {
		return nil, err
	}
	return extendResponse(&res, next), nil
}

func (g *Gateway) extendOp(ctx context.Context, req *cairnv1.ExtendRequest) (txn.Op, error) {
	op := txn.Op{Kind: txn.OpExtend, TTL: req.GetTtlMs()}
	var err error
	if op.Key, err = g.storedKey(ctx, req.GetKeyspace(), req.GetKey()); err != nil {
		return op, err
	}
	return op, checkTTL(op.TTL)
}

func extendResponse(res *txn.Result, handle string) *cairnv1.ExtendResponse {
	return &cairnv1.ExtendResponse{
		Extended:  res.OK,
		Revision:  res.Entry.Revision,
		CommitTs:  int64(res.Entry.TS),
		ExpiresAt: res.Entry.Expiry.Millis(),
		Txn:       handle,
	}
}

// missingKeys is the not_found of require_all: it lists what is missing, sorted, up to a limit.
func missingKeys(missing []txn.Key) error {
	slices.SortFunc(missing, txn.Key.Compare)
	missing = slices.CompactFunc(missing, func(a, b txn.Key) bool { return a.Compare(b) == 0 })
	list := ""
	for i, k := range missing {
		if i == missingListedMax {
			list += fmt.Sprintf(" and %d more", len(missing)-i)
			break
		}
		if i > 0 {
			list += ", "
		}
		list += k.String()
	}
	what := "keys are"
	if len(missing) == 1 {
		what = "key is"
	}
	e := txn.Errorf(txn.NotFound, "keys_missing", "%d %s missing: %s", len(missing), what, list)
	e.Next = "write what is missing, or do not require all"
	return e
}

// missingListedMax is how many missing keys an error names.
const missingListedMax = 100
