package gateway

import (
	"context"
	"encoding/binary"
	"hash/crc32"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (g *Gateway) history(
	ctx context.Context, req *cairnv1.HistoryRequest,
) (*cairnv1.HistoryResponse, error) {
	key, err := g.storedKey(ctx, req.GetKeyspace(), req.GetKey())
	if err != nil {
		return nil, err
	}
	if err := checkLimit(req.GetLimit()); err != nil {
		return nil, err
	}
	h := coordinator.History{Key: key, KeysOnly: req.GetKeysOnly(), Bytes: PageBytesMax}
	if h.Limit = clampLimit(req.GetLimit()); h.Limit == 0 || h.Limit > PageEntriesMax {
		h.Limit = PageEntriesMax
	}
	if len(req.GetCursor()) > 0 {
		c, err := decodeHistoryCursor(req.GetCursor(), key)
		if err != nil {
			return nil, err
		}
		h.At, h.From = c.at, c.from
	}
	page, next, err := g.historyPage(ctx, req.GetTxn(), h)
	if err != nil {
		return nil, err
	}
	resp := &cairnv1.HistoryResponse{Txn: next}
	for i := range page.Versions {
		resp.Entries = append(resp.Entries, historyEntry(key, &page.Versions[i], h.KeysOnly))
	}
	if page.Next != 0 {
		c := historyCursor{of: key, at: page.At, from: page.Next}
		resp.Cursor = c.encode()
	}
	return resp, nil
}

// historyPage reads h in the open transaction that handle names, or in none. A transaction sees its
// snapshot, and reads the key too, so that the commit watches over it.
func (g *Gateway) historyPage(
	ctx context.Context, handle string, h coordinator.History,
) (page *coordinator.Versions, next string, err error) {
	if handle == "" {
		h.Deadline = g.deadline(ctx)
		page, err = g.Coordinator.History(ctx, h)
		return page, "", err
	}
	next, err = g.held.use(ctx, handle, func(ctx context.Context, t *coordinator.Txn) error {
		op := &txn.Op{Kind: txn.OpGet, Key: h.Key, KeysOnly: true}
		if _, err := g.readIn(ctx, t, op, false); err != nil {
			return err
		}
		if h.At != 0 && h.At != t.ReadTS() && !t.Locks() {
			return invalid("cursor_mismatch", "the cursor belongs to another transaction")
		}
		h.At, h.Deadline = t.ReadTS(), g.deadline(ctx)
		page, err = g.Coordinator.History(ctx, h)
		return err
	})
	return page, next, err
}

func historyEntry(key txn.Key, v *txn.Version, keysOnly bool) *cairnv1.HistoryEntry {
	e := &cairnv1.HistoryEntry{
		Entry: wireEntry(key, v, keysOnly), Principal: v.Principal, Message: v.Message,
	}
	switch v.Kind {
	case txn.KindSet:
		e.Operation = cairnv1.HistoryOperation_HISTORY_OPERATION_SET
	case txn.KindDelete:
		e.Operation = cairnv1.HistoryOperation_HISTORY_OPERATION_DELETE
		e.Entry.Value, e.Entry.CreateTs, e.Entry.ExpiresAt = nil, 0, 0
	case txn.KindExtend:
		e.Operation = cairnv1.HistoryOperation_HISTORY_OPERATION_EXTEND
	}
	return e
}

// historyCursor is where the next page of a history begins. Encoded, it is:
//
//	version (1) | checksum of all that follows (4) | checksum of the key (4) | at (8) | from (8)
//
// As for a range, the checksums find mistakes, and need not find forgers.
type historyCursor struct {
	of   txn.Key
	at   txn.Timestamp // the snapshot of all pages
	from txn.Timestamp // the version still to come
}

const historyCursorBytes = 25

// historySalt keeps the cursors of ranges apart from those of histories.
const historySalt = "history\x00"

func (c *historyCursor) checksum() uint32 {
	return crc32.ChecksumIEEE(append([]byte(historySalt), c.of...))
}

func (c *historyCursor) encode() []byte {
	b := make([]byte, 5, historyCursorBytes)
	b[0] = cursorVersion
	b = binary.BigEndian.AppendUint32(b, c.checksum())
	b = binary.BigEndian.AppendUint64(b, uint64(c.at))
	b = binary.BigEndian.AppendUint64(b, uint64(c.from))
	binary.BigEndian.PutUint32(b[1:], crc32.ChecksumIEEE(b[5:]))
	return b
}

// decodeHistoryCursor reads a cursor that must be one of the same key.
func decodeHistoryCursor(b []byte, key txn.Key) (*historyCursor, error) {
	if len(b) != historyCursorBytes || b[0] != cursorVersion ||
		binary.BigEndian.Uint32(b[1:]) != crc32.ChecksumIEEE(b[5:]) {
		return nil, invalid(reasonCursor, "the cursor of %d bytes is none that was given out here",
			len(b))
	}
	c := &historyCursor{
		of: key, at: txn.Timestamp(binary.BigEndian.Uint64(b[9:])),
		from: txn.Timestamp(binary.BigEndian.Uint64(b[17:])),
	}
	if binary.BigEndian.Uint32(b[5:]) != c.checksum() {
		return nil, invalid("cursor_mismatch",
			"the cursor belongs to another request: the key must be as for the first page")
	}
	if c.from <= 0 || c.from > c.at || c.at > txn.MaxTimestamp {
		return nil, invalid(reasonCursor, "the cursor is none that was given out here")
	}
	return c, nil
}
