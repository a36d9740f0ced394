package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

func lockKey(s string) txn.Key { return txn.NewKey(txn.DefaultKeyspace, []byte(s)) }

// locked is a lock of the transaction 7.n, which asked for it ms ago.
func (f *fixture) locked(n uint64, ms int64, mode txn.LockMode) shardrpc.LockInfo {
	id := txn.NewID(7, n)
	return shardrpc.LockInfo{Mode: mode,
		Owner: shardrpc.LockOwner{Txn: id, Age: txn.Age{At: txn.Timestamp(n), ID: id}},
		Since: txn.Timestamp(f.env.Wall() - 1000*ms)}
}

func TestLocks(t *testing.T) {
	var shards []ShardLocks
	var broken error
	f := start(t, func(o *Options) {
		o.Locks = func(context.Context) ([]ShardLocks, error) { return shards, broken }
	})
	holds, commits := f.locked(9, 61_000, txn.LockExclusive), f.locked(4, -5000, txn.LockShared)
	holds.Key, commits.Key, commits.Committing = lockKey("m"), lockKey("x"), true
	older, younger := f.locked(3, 1000, txn.LockUpdate), f.locked(5, 1000, txn.LockShared)
	for _, l := range []*shardrpc.LockInfo{&older, &younger} {
		l.Key, l.Waits, l.Behind = lockKey("m"), true, []shardrpc.LockOwner{holds.Owner, commits.Owner}
	}
	all, part := f.locked(6, 0, txn.LockShared), f.locked(6, 0, txn.LockShared)
	all.Span = txn.PrefixSpan(lockKey(""))
	part.Span = txn.Span{Start: lockKey("m"), End: lockKey("n")}
	shards = []ShardLocks{
		{Shard: 3, Locks: []shardrpc.LockInfo{part, commits, younger, older, holds}},
		{Shard: 4, Silent: "gone"},
		{Shard: 2, Locks: []shardrpc.LockInfo{all}, More: true},
	}
	status := cairnv1connect.NewStatusServiceClient(f.h2, f.url)
	resp, err := status.Locks(t.Context(), connect.NewRequest(&cairnv1.LocksRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range resp.Msg.Locks {
		what := string(l.GetKey())
		if s := l.GetSpan(); s != nil {
			what = fmt.Sprintf("%s-%s", s.Start, s.End)
		}
		got = append(got, fmt.Sprintf("%s %s %d %s age=%d waits=%v committing=%v %s since=%ds", l.Keyspace, what,
			l.Mode, l.Txn, l.Age, l.Waits, l.Committing, strings.Join(l.Behind, ","), l.SinceMs/1000))
	}
	want := []string{
		"default - 1 7.6 age=6 waits=false committing=false  since=0s",
		"default m 3 7.9 age=9 waits=false committing=false  since=61s",
		"default m 2 7.3 age=3 waits=true committing=false 7.9,7.4 since=1s",
		"default m 1 7.5 age=5 waits=true committing=false 7.9,7.4 since=1s",
		"default m-n 1 7.6 age=6 waits=false committing=false  since=0s",
		"default x 1 7.4 age=4 waits=false committing=true  since=0s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s := resp.Msg.Silent; !resp.Msg.More || len(s) != 1 || s[0].Id != 4 || s[0].Why != "gone" {
		t.Errorf("more %v, silent %v", resp.Msg.More, s)
	}
	broken = &txn.Error{Kind: txn.Unavailable, Reason: "member_unreachable", Err: errors.New("x")}
	_, err = status.Locks(t.Context(), connect.NewRequest(&cairnv1.LocksRequest{}))
	if connect.CodeOf(err) != connect.CodeUnavailable {
		t.Error(err)
	}
}

// An answer has bounds in entries and in bytes, and says that there is more.
func TestLocksMax(t *testing.T) {
	var s ShardLocks
	f := start(t, func(o *Options) {
		o.Locks = func(context.Context) ([]ShardLocks, error) { return []ShardLocks{s}, nil }
	})
	for _, c := range []struct{ locks, bytes, want int }{
		{locksShownMax, 8, locksShownMax}, {locksShownMax + 1, 8, locksShownMax},
		{9, lockBytesShownMax / 8, 8},
	} {
		s.Locks = nil
		l := f.locked(1, 0, txn.LockShared)
		l.Key = lockKey(strings.Repeat("k", c.bytes-4))
		for range c.locks {
			s.Locks = append(s.Locks, l)
		}
		resp, err := f.g.lockTable(t.Context(), nil)
		if err != nil || len(resp.Locks) != c.want || resp.More != (c.want < c.locks) {
			t.Errorf("%+v: %d, more %v, %v", c, len(resp.GetLocks()), resp.GetMore(), err)
		}
	}
}
