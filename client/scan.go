package client

import (
	"context"
	"iter"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// Range is keys in the order of their bytes, read from one snapshot; in a
// Pessimistic transaction it is locked instead. Make one
// with All, Prefix, Bucket or Span, then set what else matters.
type Range struct {
	Limit    int64     // most entries, over all pages; 0 = all
	Reverse  bool      // from the last key to the first
	KeysOnly bool      // entries without values
	AsOf     Timestamp // read at this time; 0 = now
	Page     int64     // most entries that one call fetches; 0 = as the server likes
	// ForUpdate is as for Get: for all that is in the range, and for what is not.
	ForUpdate bool
	// Glob keeps only the keys that match this pattern as a whole; empty = all. * stands for any
	// characters, / among them, ? for one, [abc], [a-z] and [!x] for one of a set or none of it, and
	// \ makes the next one stand for itself.
	Glob string

	selected *cairnv1.Selection
}

// All is the whole keyspace.
func All() Range { return Prefix("") }

// Prefix is all keys that begin with p.
func Prefix(p string) Range {
	return Range{selected: &cairnv1.Selection{
		By: &cairnv1.Selection_Prefix{Prefix: []byte(p)},
	}}
}

// Bucket is all keys whose text before their last '/' is exactly b.
func Bucket(b string) Range {
	return Range{selected: &cairnv1.Selection{
		By: &cairnv1.Selection_Bucket{Bucket: []byte(b)},
	}}
}

// Span is all keys from start up to and without end; empty = no bound.
func Span(start, end string) Range {
	return Range{selected: &cairnv1.Selection{By: &cairnv1.Selection_Span{
		Span: &cairnv1.Span{Start: []byte(start), End: []byte(end)},
	}}}
}

// selection is what r selects; nil for a Range that no function made.
func (r *Range) selection() *cairnv1.Selection {
	if r.Glob == "" {
		return r.selected
	}
	return &cairnv1.Selection{By: r.selected.GetBy(), Glob: []byte(r.Glob)}
}

func (r *Range) toWire(keyspace string) *cairnv1.RangeRequest {
	return &cairnv1.RangeRequest{
		Keyspace: keyspace, Select: r.selection(), Limit: r.Limit,
		Reverse: r.Reverse, KeysOnly: r.KeysOnly, AsOf: optional(r.AsOf), ForUpdate: r.ForUpdate,
	}
}

// Scan reads r page by page, each fetched when the loop gets there. All pages
// see one snapshot. An error comes last, with an empty Entry.
//
//	for e, err := range db.Scan(ctx, client.Prefix("services/")) {
//		if err != nil {
//			return err
//		}
//		...
//	}
func (k *KV) Scan(ctx context.Context, r Range) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		req := r.toWire(k.keyspace)
		if r.Page > 0 && (r.Limit == 0 || r.Page < r.Limit) {
			req.Limit = r.Page // the same for all pages, as cursors demand
		}
		for count := int64(0); ; {
			res, err := k.page(ctx, req)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, w := range res.Entries {
				if !yield(entryFromWire(w), nil) {
					return
				}
				if count++; count == r.Limit {
					return
				}
			}
			if req.Cursor = res.Cursor; len(req.Cursor) == 0 {
				return
			}
		}
	}
}

// Count is how many keys r selects. Limit, KeysOnly and Page do not matter.
func (k *KV) Count(ctx context.Context, r Range) (int64, error) {
	req := r.toWire(k.keyspace)
	req.Limit, req.KeysOnly, req.CountOnly = 0, false, true
	res, err := k.page(ctx, req)
	if err != nil {
		return 0, err
	}
	return res.Count, nil
}

func (k *KV) page(
	ctx context.Context, req *cairnv1.RangeRequest,
) (*cairnv1.RangeResponse, error) {
	if err := k.persistentOnly("range"); err != nil {
		return nil, err
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_RANGE, req: req,
		res: &cairnv1.RangeResponse{}, handle: &req.Txn,
	}
	if err := k.do(ctx, c); err != nil {
		return nil, err
	}
	return c.res.(*cairnv1.RangeResponse), nil
}
