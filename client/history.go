package client

import (
	"context"
	"iter"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// Change is what made a version.
type Change uint8

// The changes.
const (
	ChangeUnknown  Change = iota // of a newer server
	ChangeSet                    // a set, or an update such as Increment
	ChangeDeleted                // a deletion, which has a revision of its own
	ChangeExtended               // of the expiry alone, under the revision that was there
	changeEnd
)

var changeNames = [...]string{"unknown", "set", "deleted", "extended"}

func (c Change) String() string {
	if c < changeEnd {
		return changeNames[c]
	}
	return changeNames[ChangeUnknown]
}

// HistoryEntry is one version of a key, and where it came from.
type HistoryEntry struct {
	Entry     // of a deletion without value, CreateTS and ExpiresAt
	Change    Change
	Principal string // who wrote it, as the client said (Options.Principal); empty: it did not say
	Message   string // why, as the client said
}

// HistoryOptions of History.
type HistoryOptions struct {
	Limit    int64 // most versions, over all pages; 0 = all
	KeysOnly bool  // versions without values
	Page     int64 // most versions that one call fetches; 0 = as the server likes
}

// History reads the versions of a key, newest first, page by page, each fetched
// when the loop gets there. An error comes last, with an empty HistoryEntry.
func (k *KV) History(
	ctx context.Context, key string, o HistoryOptions,
) iter.Seq2[HistoryEntry, error] {
	return func(yield func(HistoryEntry, error) bool) {
		req := &cairnv1.HistoryRequest{
			Keyspace: k.keyspace, Key: []byte(key), Limit: o.Limit, KeysOnly: o.KeysOnly,
		}
		if o.Page > 0 && (o.Limit == 0 || o.Page < o.Limit) {
			req.Limit = o.Page
		}
		for count := int64(0); ; {
			res, err := k.versions(ctx, req)
			if err != nil {
				yield(HistoryEntry{}, err)
				return
			}
			for _, w := range res.Entries {
				if !yield(historyFromWire(key, w), nil) {
					return
				}
				if count++; count == o.Limit {
					return
				}
			}
			if req.Cursor = res.Cursor; len(req.Cursor) == 0 {
				return
			}
		}
	}
}

func (k *KV) versions(
	ctx context.Context, req *cairnv1.HistoryRequest,
) (*cairnv1.HistoryResponse, error) {
	if err := k.persistentOnly("history"); err != nil {
		return nil, err
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_HISTORY, req: req,
		res: &cairnv1.HistoryResponse{}, handle: &req.Txn,
	}
	if err := k.do(ctx, c); err != nil {
		return nil, err
	}
	return c.res.(*cairnv1.HistoryResponse), nil
}

func historyFromWire(key string, w *cairnv1.HistoryEntry) HistoryEntry {
	h := HistoryEntry{Entry: missing(key), Principal: w.Principal, Message: w.Message}
	if w.Entry != nil {
		h.Entry = entryFromWire(w.Entry)
	}
	if h.Key == "" {
		h.Key = key
	}
	if w.Operation > 0 && int(w.Operation) < int(changeEnd) {
		h.Change = Change(w.Operation)
	}
	return h
}
