package gateway

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// checkRange refuses what contradicts itself in a range request.
func checkRange(req *cairnv1.RangeRequest) error {
	if err := checkLimit(req.GetLimit()); err != nil {
		return err
	}
	if req.GetCountOnly() && req.GetLimit() != 0 {
		return invalid("count_with_limit", "count_only and limit %d exclude each other",
			req.GetLimit())
	}
	if req.GetCountOnly() && len(req.GetCursor()) > 0 {
		return invalid("count_with_cursor", "count_only and cursor exclude each other")
	}
	return nil
}

func (g *Gateway) rangePage(
	ctx context.Context, req *cairnv1.RangeRequest,
) (*cairnv1.RangeResponse, error) {
	if err := checkRange(req); err != nil {
		return nil, err
	}
	w, err := g.walkOf(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := &cairnv1.RangeResponse{}
	if req.GetCountOnly() {
		w.keysOnly = true
		resp.Count, err = w.count(ctx)
		resp.CommitTs, resp.Txn = int64(w.at), w.handle
		return resp, err
	}
	limit := clampLimit(req.GetLimit())
	if limit == 0 || limit > PageEntriesMax {
		limit = PageEntriesMax
	}
	entries, err := w.piece(ctx, limit)
	if err != nil {
		return nil, err
	}
	resp.Entries = wireEntries(entries, w.keysOnly)
	resp.Count, resp.CommitTs, resp.Txn = int64(len(entries)), int64(w.at), w.handle
	if !w.done {
		resp.Cursor = w.cursor().encode()
	}
	return resp, nil
}

// walkOf begins where the request says: at its cursor if it has one.
func (g *Gateway) walkOf(ctx context.Context, req *cairnv1.RangeRequest) (*walk, error) {
	sel, err := g.selectionOf(ctx, req.GetKeyspace(), req.GetSelect())
	if err != nil {
		return nil, err
	}
	w := &walk{
		g: g, handle: req.GetTxn(), sel: sel, rest: sel.span,
		reverse: req.GetReverse(), keysOnly: req.GetKeysOnly(), update: req.GetForUpdate(),
	}
	if w.handle != "" && req.AsOf != nil {
		return nil, errAsOfInTxn()
	}
	if w.handle == "" && w.update {
		return nil, errUpdateOutside()
	}
	asOf := req.AsOf
	if len(req.GetCursor()) > 0 {
		c, err := decodeCursor(req.GetCursor(), sel, w.reverse)
		if err != nil {
			return nil, err
		}
		if asOf != nil && *asOf != int64(c.at) {
			return nil, invalid("cursor_mismatch",
				"as_of is %d and the cursor's own is %d; leave it out", *asOf, c.at)
		}
		at := int64(c.at)
		asOf, w.rest = &at, c.rest()
		if w.rest.Empty() {
			return nil, invalid(reasonCursor, "the cursor points outside of the range")
		}
	}
	w.at, err = pastTime(asOf)
	return w, err
}

// cursor is where the walk goes on.
func (w *walk) cursor() *cursor {
	c := &cursor{at: w.at, next: w.rest.Start, of: w.sel, reverse: w.reverse}
	if w.reverse {
		c.next = w.rest.End
	}
	return c
}

// rangeStream sends a whole range from one snapshot, piece by piece.
func (g *Gateway) rangeStream(
	ctx context.Context, req *cairnv1.RangeStreamRequest,
	send func(*cairnv1.RangeStreamResponse) error,
) error {
	return g.eachPiece(ctx, &cairnv1.RangeRequest{
		Keyspace: req.GetKeyspace(), Txn: req.GetTxn(), Select: req.GetSelect(),
		Limit: req.GetLimit(), Reverse: req.GetReverse(), KeysOnly: req.GetKeysOnly(),
		AsOf: req.AsOf, ForUpdate: req.GetForUpdate(),
	}, func(entries []txn.Entry, w *walk, last bool) error {
		err := send(&cairnv1.RangeStreamResponse{
			Entries:  wireEntries(entries, w.keysOnly),
			CommitTs: int64(w.at), Last: last, Txn: w.handle,
		})
		if err != nil { // there is nobody any more to tell
			return errGaveUp(context.Canceled)
		}
		return nil
	})
}

// eachPiece calls emit with piece after piece of a range; limit counts over all of them. It calls
// emit at least once.
func (g *Gateway) eachPiece(
	ctx context.Context, req *cairnv1.RangeRequest,
	emit func(entries []txn.Entry, w *walk, last bool) error,
) error {
	if err := checkRange(req); err != nil {
		return err
	}
	w, err := g.walkOf(ctx, req)
	if err != nil {
		return err
	}
	left := req.GetLimit()
	for {
		limit := PageEntriesMax
		if left > 0 {
			limit = int(min(left, PageEntriesMax))
		}
		entries, err := w.piece(ctx, limit)
		if err != nil {
			return err
		}
		full := left > 0 && int64(len(entries)) == left
		left -= min(left, int64(len(entries)))
		if err := emit(entries, w, w.done || full); err != nil || w.done || full {
			return err
		}
		if err := ctx.Err(); err != nil {
			return errGaveUp(err)
		}
	}
}

// callStream is call for eachPiece.
func callStream(
	ctx context.Context, g *Gateway, req *cairnv1.RangeRequest,
	emit func(entries []txn.Entry, w *walk, last bool) error,
) (*struct{}, *txn.Error) {
	return call(ctx, g, methodRangeStream, req, func(
		g *Gateway, ctx context.Context, req *cairnv1.RangeRequest,
	) (*struct{}, error) {
		return nil, g.eachPiece(ctx, req, emit)
	})
}
