package gateway

import (
	"context"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

const (
	// PageBytesMax bounds the keys and values of a page; a single entry may be larger.
	PageBytesMax = 1 << 20
	// PageEntriesMax bounds the entries of a page.
	PageEntriesMax = 10_000
	// txnPageEntriesMax bounds what is read at once inside an open transaction, where only the
	// number of entries can be limited beforehand.
	txnPageEntriesMax = 256
)

// walk goes through a range piece by piece, in constant memory. All pieces are of one snapshot,
// except in a pessimistic transaction, which has locked the range.
type walk struct {
	g        *Gateway
	handle   string // of an open transaction, to use next; empty: none
	sel      selection
	rest     txn.Span // still to come
	reverse  bool
	keysOnly bool
	update   bool          // for_update
	at       txn.Timestamp // of the last piece, 0 until there is one
	done     bool
}

// piece is the next entries, at most limit of them and PageBytesMax of bytes; none only if the
// walk is done then.
func (w *walk) piece(ctx context.Context, limit int) ([]txn.Entry, error) {
	var entries []txn.Entry
	bytes, full := 0, false
	for !w.done && !full && len(entries) < limit && bytes < PageBytesMax {
		page, err := w.page(ctx, min(limit-len(entries), PageEntriesMax), PageBytesMax-bytes)
		if err != nil {
			return nil, err
		}
		w.at = page.At
		var taken []txn.Entry
		taken, full = w.take(page, bytes)
		for i := range taken {
			if w.sel.filter.Takes(taken[i].Key) {
				entries = append(entries, taken[i])
				bytes += len(taken[i].Key) + len(taken[i].Value.Data)
			}
		}
	}
	return entries, nil
}

// take moves the walk behind the entries of page that still fit besides so many bytes, and returns
// these. full says that one did not fit.
func (w *walk) take(page *coordinator.Page, bytes int) (entries []txn.Entry, full bool) {
	entries, next, more := page.Entries, page.Next, page.More
	had := bytes > 0
	for i := range entries {
		bytes += len(entries[i].Key) + len(entries[i].Value.Data)
		if bytes <= PageBytesMax || i == 0 && !had {
			continue
		}
		next, more, full = nil, true, true
		if entries = entries[:i]; i > 0 {
			next = after(entries[i-1].Key, w.reverse)
		}
		break
	}
	if n := len(entries); n > 0 && more {
		last := entries[n-1].Key
		if cut := w.sel.nested(last); cut > 0 { // nothing of the bucket below is wanted
			if next = last[:cut]; !w.reverse {
				next = txn.PrefixEnd(next)
			}
		}
	}
	if w.reverse {
		w.rest = w.rest.Intersect(txn.Span{End: next})
	} else {
		w.rest = w.rest.Intersect(txn.Span{Start: next})
	}
	w.done = !more || w.rest.Empty()
	return entries, full
}

func (w *walk) page(ctx context.Context, limit, bytes int) (page *coordinator.Page, err error) {
	if w.handle == "" {
		return w.g.Coordinator.Scan(ctx, coordinator.Scan{
			At: w.at, Span: w.rest, Reverse: w.reverse, KeysOnly: w.keysOnly,
			Limit: limit, Bytes: bytes, Deadline: w.g.deadline(ctx),
		})
	}
	next, err := w.g.held.use(ctx, w.handle, func(ctx context.Context, t *coordinator.Txn) error {
		if w.at != 0 && w.at != t.ReadTS() && !t.Locks() {
			return invalid("cursor_mismatch", "the cursor belongs to another transaction")
		}
		res, err := w.g.readIn(ctx, t, &txn.Op{
			Kind: txn.OpRange, Span: w.rest, Reverse: w.reverse, KeysOnly: w.keysOnly,
			Limit: min(limit, txnPageEntriesMax),
		}, w.update)
		page = &coordinator.Page{Entries: res.Entries, At: t.ReadTS(), More: res.More}
		if n := len(res.Entries); n > 0 {
			page.Next = after(res.Entries[n-1].Key, w.reverse)
		}
		for i := range res.Entries {
			undate(&res.Entries[i].Version, page.At)
		}
		return err
	})
	if err == nil {
		w.handle = next
	}
	return page, err
}

// count goes through all that is left and counts it.
func (w *walk) count(ctx context.Context) (n int64, err error) {
	for !w.done {
		entries, err := w.piece(ctx, PageEntriesMax)
		if err != nil {
			return 0, err
		}
		n += int64(len(entries))
	}
	return n, nil
}
