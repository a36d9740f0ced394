package client

import (
	"context"
	"errors"

	"github.com/cairnkv/cairn/txn"
)

// What is too much for one transaction goes page by page. None of it is atomic:
// others see some of the keys as they were and some as they will be. After an
// error what was counted or answered is done, and the call may be made again.

const (
	// batchedPage is how many keys go at once: even the longest are half of what a
	// transaction may write.
	batchedPage = 1000
	// batchedBytes is how much of keys and values goes at once, but for a single one.
	batchedBytes = 4 << 20
)

// DeleteRangeBatched removes what r selects, however much it is, page by page.
// It is not atomic: others see some keys gone and some not, and what was written
// after it began stays unless it is one of the keys that were there. After an
// error the keys that it counted are gone, and it may be called again.
func (k *KV) DeleteRangeBatched(ctx context.Context, r Range, message string) (int64, error) {
	r.KeysOnly, r.Page = true, batchedPage
	count := int64(0)
	var page []string
	flush := func() error {
		results, err := k.BatchDelete(ctx, page, BatchOptions{Message: message})
		for i := range results {
			if results[i].Deleted {
				count++
			}
		}
		page = page[:0]
		return err
	}
	for e, err := range k.Scan(ctx, r) {
		if err != nil {
			return count, err
		}
		if page = append(page, e.Key); len(page) == batchedPage {
			if err := flush(); err != nil {
				return count, err
			}
		}
	}
	if len(page) == 0 {
		return count, nil
	}
	err := flush()
	return count, err
}

// BatchSetBatched writes any number of items, page by page, each page as BatchSet
// would. The results are those of the items that were written, or not because of
// their conditions, from the first one on.
func (k *KV) BatchSetBatched(
	ctx context.Context, items []SetItem, message string,
) ([]SetResult, error) {
	all := make([]SetResult, 0, len(items))
	for rest := items; len(rest) > 0; {
		n := pageOf(rest)
		results, err := k.BatchSet(ctx, rest[:n], BatchOptions{Message: message})
		if err != nil {
			return all, err
		}
		all, rest = append(all, results...), rest[n:]
	}
	return all, nil
}

// pageOf is how many of the first items go at once, one at least.
func pageOf(items []SetItem) int {
	bytes := 0
	for i := range items {
		bytes += len(items[i].Key) + len(items[i].Value.Data)
		if i == batchedPage || i > 0 && bytes > batchedBytes {
			return i
		}
	}
	return len(items)
}

// RevertRangeBatched brings back to at whatever r selects, however much it is,
// page by page: first what there was then, after that what there is now. It
// answers how many keys were changed.
func (k *KV) RevertRangeBatched(
	ctx context.Context, r Range, at Timestamp, message string,
) (int64, error) {
	count := int64(0)
	r.KeysOnly, r.Page, r.Limit, r.Reverse = true, batchedPage, 0, false
	for _, r.AsOf = range []Timestamp{at, 0} {
		var page []string
		for e, err := range k.Scan(ctx, r) {
			if err != nil {
				return count, err
			}
			if page = append(page, e.Key); len(page) < batchedPage {
				continue
			}
			if err := k.revertKeys(ctx, page, at, message, &count); err != nil {
				return count, err
			}
			page = page[:0]
		}
		if err := k.revertKeys(ctx, page, at, message, &count); err != nil {
			return count, err
		}
	}
	return count, nil
}

// revertKeys brings keys back in one transaction, or where their values are too
// much for one, in several.
func (k *KV) revertKeys(
	ctx context.Context, keys []string, at Timestamp, message string, count *int64,
) error {
	if len(keys) == 0 {
		return nil
	}
	p := Program{Message: message}
	for _, key := range keys {
		p.Then = append(p.Then, RevertOp(key, AsOf(at), RevertOptions{}))
	}
	req, err := p.toWire(k.keyspace)
	if err != nil {
		return err
	}
	out, err := k.execute(ctx, req)
	if e, ours := errors.AsType[*txn.Error](err); ours && e.Reason == txn.ReasonTooLarge &&
		len(keys) > 1 {
		half := len(keys) / 2
		if err := k.revertKeys(ctx, keys[:half], at, message, count); err != nil {
			return err
		}
		return k.revertKeys(ctx, keys[half:], at, message, count)
	}
	for i := range out.Results {
		*count += out.Results[i].Revert.Count
	}
	return err
}
