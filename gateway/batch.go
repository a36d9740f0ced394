package gateway

import (
	"context"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// batchStepMax is how many keys of a batch are read at once until the size of its values is known;
// large values must not pile up before the limit is noticed.
const batchStepMax = 128

func (g *Gateway) batchGet(
	ctx context.Context, req *cairnv1.BatchGetRequest,
) (*cairnv1.BatchGetResponse, error) {
	if req.GetBegin() == nil {
		return g.batchGetIn(ctx, req, req.GetTxn())
	}
	var resp *cairnv1.BatchGetResponse
	begun, err := g.opening(ctx, req, func(handle string) (err error) {
		resp, err = g.batchGetIn(ctx, req, handle)
		return err
	})
	if err != nil {
		return nil, err
	}
	resp.Begun = begun
	return resp, nil
}

// batchGetIn reads in the open transaction of a handle; without one, in one of its own.
func (g *Gateway) batchGetIn(
	ctx context.Context, req *cairnv1.BatchGetRequest, handle string,
) (*cairnv1.BatchGetResponse, error) {
	if _, ok := ephemeral(req); ok {
		return g.batchGetEphemeral(ctx, req)
	}
	keys, err := g.batchKeys(ctx, req)
	if err != nil {
		return nil, err
	}
	b := batch{g: g, keys: keys, versions: make([]txn.Version, 0, len(keys))}
	switch {
	case handle == "" && req.GetForUpdate():
		err = errUpdateOutside()
	case handle == "":
		if b.at, err = pastTime(req.AsOf); err == nil {
			err = b.read(ctx)
		}
	case req.AsOf != nil:
		err = errAsOfInTxn()
	default:
		b.next, err = g.held.use(ctx, handle, func(ctx context.Context, t *coordinator.Txn) error {
			return b.readIn(ctx, t, req.GetForUpdate())
		})
	}
	if err != nil {
		return nil, err
	}
	return b.response(req)
}

func (g *Gateway) batchKeys(ctx context.Context, req *cairnv1.BatchGetRequest) ([]txn.Key, error) {
	ks, err := g.keyspaceID(ctx, req.GetKeyspace())
	if err != nil {
		return nil, err
	}
	n := len(req.GetKeys())
	if n == 0 && req.GetTxn() == "" {
		return nil, invalid("keys_missing", "no key is given; 1 to %d are needed", BatchKeysMax)
	}
	if n > BatchKeysMax {
		return nil, tooManyKeys(n)
	}
	keys := make([]txn.Key, n)
	for i, user := range req.GetKeys() {
		if keys[i], err = keyIn(ks, user); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// batch reads many keys at one snapshot.
type batch struct {
	g        *Gateway
	keys     []txn.Key
	versions []txn.Version
	at       txn.Timestamp
	bytes    int
	next     string // the handle to use next
}

// read goes step by step, each as large as the values so far allow.
func (b *batch) read(ctx context.Context) error {
	step := batchStepMax
	for done := 0; done < len(b.keys); {
		n := min(step, len(b.keys)-done)
		versions, at, err := b.g.Coordinator.Get(ctx, coordinator.Read{
			At: b.at, Keys: b.keys[done : done+n], Deadline: b.g.deadline(ctx),
		})
		if err != nil {
			return err
		}
		b.at = at
		for i := range versions {
			if err := b.add(versions[i], versions[i].Live(at)); err != nil {
				return err
			}
		}
		done += n
		step = b.step(done)
	}
	return nil
}

// readIn reads in an open transaction, some keys in each round. A pessimistic one locks all of them
// before it reads the first, so the answer is one snapshot there too.
func (b *batch) readIn(ctx context.Context, t *coordinator.Txn, update bool) error {
	if b.at = t.ReadTS(); len(b.keys) == 0 { // the answer's handle is all that is wanted
		return nil
	}
	if t.Locks() {
		if err := t.Lock(ctx, b.keys, update, b.g.deadline(ctx)); err != nil {
			return err
		}
	}
	step := batchStepMax
	for done := 0; done < len(b.keys); {
		some := b.keys[done:min(done+step, len(b.keys))]
		if err := t.Prefetch(ctx, some, update, b.g.deadline(ctx)); err != nil {
			return err
		}
		for _, key := range some {
			res, err := b.g.readIn(ctx, t, &txn.Op{Kind: txn.OpGet, Key: key}, update)
			if err != nil {
				return err
			}
			b.at = t.ReadTS()
			undate(&res.Entry.Version, b.at)
			if err := b.add(res.Entry.Version, res.OK); err != nil {
				return err
			}
		}
		done += len(some)
		step = b.step(done)
	}
	return nil
}

// step is how many keys to read next, as the values of those that are done allow.
func (b *batch) step(done int) int {
	return max(1, (txn.AnswerBytesMax-b.bytes)/(b.bytes/done+1))
}

func (b *batch) add(v txn.Version, found bool) error {
	if !found {
		v = txn.Version{Revision: txn.NoRevision}
	}
	key := b.keys[len(b.versions)]
	b.versions = append(b.versions, v)
	if b.bytes += len(key) + len(v.Value.Data); b.bytes > txn.AnswerBytesMax {
		e := txn.Errorf(txn.Exhausted, "answer_too_large",
			"the first %d of %d keys already hold more than %d bytes, the limit of an answer",
			len(b.versions), len(b.keys), txn.AnswerBytesMax)
		e.Next = "ask for fewer keys at a time"
		return e
	}
	return nil
}

func (b *batch) response(req *cairnv1.BatchGetRequest) (*cairnv1.BatchGetResponse, error) {
	resp := &cairnv1.BatchGetResponse{ReadTs: int64(b.at), Txn: b.next}
	resp.Results = make([]*cairnv1.BatchGetResult, len(b.keys))
	var missing []txn.Key
	for i := range b.versions {
		v := &b.versions[i]
		found := v.Revision != txn.NoRevision
		resp.Results[i] = &cairnv1.BatchGetResult{
			Found: found, Entry: wireEntry(b.keys[i], v, !found),
		}
		if !found {
			missing = append(missing, b.keys[i])
		}
	}
	if req.GetRequireAll() && len(missing) > 0 {
		return nil, missingKeys(missing)
	}
	return resp, nil
}

func tooManyKeys(n int) *txn.Error {
	return txn.Errorf(txn.Invalid, "too_many_keys", "%d keys are given, the limit is %d",
		n, BatchKeysMax)
}
