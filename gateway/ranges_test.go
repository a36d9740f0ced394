package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

func prefix(p string) *cairnv1.Selection {
	return &cairnv1.Selection{By: &cairnv1.Selection_Prefix{Prefix: []byte(p)}}
}

func bucket(b string) *cairnv1.Selection {
	return &cairnv1.Selection{By: &cairnv1.Selection_Bucket{Bucket: []byte(b)}}
}

func between(start, end string) *cairnv1.Selection {
	return &cairnv1.Selection{By: &cairnv1.Selection_Span{
		Span: &cairnv1.Span{Start: []byte(start), End: []byte(end)},
	}}
}

// pages reads a range to its end, page by page.
func (f *fixture) pages(req *cairnv1.RangeRequest, between func()) (keys []string, pages int) {
	f.Helper()
	var at int64
	for {
		resp, err := f.g.rangePage(f.Context(), req)
		if err != nil {
			f.Fatal(err)
		}
		if at != 0 && resp.CommitTs != at {
			f.Errorf("page %d is of %d, the first of %d", pages, resp.CommitTs, at)
		}
		at = resp.CommitTs
		if int(resp.Count) != len(resp.Entries) {
			f.Errorf("count %d of %d entries", resp.Count, len(resp.Entries))
		}
		for _, e := range resp.Entries {
			keys = append(keys, string(e.Key))
		}
		pages++
		if len(resp.Cursor) == 0 {
			return keys, pages
		}
		req.Cursor = resp.Cursor
		if between != nil {
			between()
		}
	}
}

func TestRangeSelections(t *testing.T) {
	f := start(t)
	for _, k := range []string{
		"\x00", "/x", "/x/y", "a", "b", "s/a", "s/auth/1", "s/auth/2", "s/auth/x/1", "s/auth/x/2",
		"s/auth/z", "s/b", "s0", "\xff", "\xff\xff",
	} {
		f.set(k, "v")
	}
	for _, tc := range []struct {
		name string
		req  *cairnv1.RangeRequest
		want string
	}{
		{"prefix", &cairnv1.RangeRequest{Select: prefix("s/auth/")}, "s/auth/1 s/auth/2 s/auth/x/1 s/auth/x/2 s/auth/z"},
		{"bucket", &cairnv1.RangeRequest{Select: bucket("s/auth")}, "s/auth/1 s/auth/2 s/auth/z"},
		{"bucket with buckets", &cairnv1.RangeRequest{Select: bucket("s")}, "s/a s/b"},
		{"empty bucket", &cairnv1.RangeRequest{Select: bucket("")}, "/x"},
		{"span", &cairnv1.RangeRequest{Select: between("a", "s/a")}, "a b"},
		{"open end", &cairnv1.RangeRequest{Select: between("s0", "")}, "s0 \xff \xff\xff"},
		{"highest", &cairnv1.RangeRequest{Select: prefix("\xff")}, "\xff \xff\xff"},
		{"one point", &cairnv1.RangeRequest{Select: between("a", "a")}, ""},
	} {
		want := strings.Fields(tc.want)
		for _, limit := range []int64{0, 1, 2} {
			for _, reverse := range []bool{false, true} {
				req := &cairnv1.RangeRequest{Select: tc.req.Select, Limit: limit, Reverse: reverse}
				got, _ := f.pages(req, nil)
				if reverse {
					slices.Reverse(got)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, limit %d, reverse %v: got %q, want %q", tc.name, limit, reverse, got, want)
				}
			}
		}
		count, err := f.g.rangePage(t.Context(), &cairnv1.RangeRequest{Select: tc.req.Select, CountOnly: true})
		if err != nil || int(count.Count) != len(want) || len(count.Entries) != 0 {
			t.Errorf("%s: count %v %v", tc.name, count, err)
		}
	}
}

func TestPagesSeeOneSnapshot(t *testing.T) {
	f := start(t)
	var want []string
	for i := range 20 {
		k := fmt.Sprintf("k%02d", i)
		f.set(k, "v")
		want = append(want, k)
	}
	n := 0
	got, pages := f.pages(&cairnv1.RangeRequest{Limit: 3}, func() {
		n++
		f.set(fmt.Sprintf("k%02d-new", n), "v")
		if _, err := f.g.del(t.Context(), &cairnv1.DeleteRequest{Key: fmt.Appendf(nil, "k%02d", 19-n)}); err != nil {
			t.Fatal(err)
		}
	})
	if pages != 7 || !slices.Equal(got, want) {
		t.Errorf("%d pages: %q", pages, got)
	}
}

func TestCursorBelongsToItsRange(t *testing.T) {
	f := start(t)
	for i := range 5 {
		f.set(fmt.Sprintf("k%d", i), "v")
	}
	page, err := f.g.rangePage(t.Context(), &cairnv1.RangeRequest{Select: prefix("k"), Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	for name, req := range map[string]*cairnv1.RangeRequest{
		"other prefix": {Select: prefix("")},
		"reverse":      {Select: prefix("k"), Reverse: true},
		"bucket":       {Select: bucket("k")},
		"other time":   {Select: prefix("k"), AsOf: ptr(page.CommitTs - 1)},
	} {
		req.Cursor = page.Cursor
		if _, err := f.g.rangePage(t.Context(), req); classify(err, false).Reason != "cursor_mismatch" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range page.Cursor {
		bad := slices.Clone(page.Cursor)
		bad[i] ^= 0x10
		req := &cairnv1.RangeRequest{Select: prefix("k"), Cursor: bad}
		if _, err := f.g.rangePage(t.Context(), req); classify(err, false).Reason != reasonCursor {
			t.Errorf("bit of byte %d flipped: %v", i, err)
		}
	}
}

func TestPagesStayBelowTheirBytes(t *testing.T) {
	f := start(t)
	for i := range 5 {
		f.set(fmt.Sprint(i), strings.Repeat("x", 400_000))
	}
	got, pages := f.pages(&cairnv1.RangeRequest{}, nil)
	if len(got) != 5 || pages != 3 {
		t.Errorf("%d keys on %d pages, want 5 on 3", len(got), pages)
	}
	b, err := f.g.begin(t.Context(), &cairnv1.BeginRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got, pages = f.pages(&cairnv1.RangeRequest{Txn: b.Txn}, nil)
	if len(got) != 5 || pages != 3 {
		t.Errorf("in a transaction: %d keys on %d pages, want 5 on 3", len(got), pages)
	}
}

func TestRangeStream(t *testing.T) {
	f := start(t)
	for i := range 30 {
		f.set(fmt.Sprintf("k%02d", i), strings.Repeat("x", 100_000))
	}
	for _, limit := range []int64{0, 7, 30, 31} {
		stream, err := f.kv.RangeStream(t.Context(), connect.NewRequest(&cairnv1.RangeStreamRequest{
			Select: prefix("k"), Limit: limit,
		}))
		if err != nil {
			t.Fatal(err)
		}
		n, pieces, last := 0, 0, false
		for stream.Receive() {
			if last {
				t.Error("a piece follows the last one")
			}
			n += len(stream.Msg().Entries)
			last = stream.Msg().Last
			pieces++
		}
		want := 30
		if limit == 7 {
			want = 7
		}
		if stream.Err() != nil || !last || n != want || want == 30 && pieces < 3 {
			t.Errorf("limit %d: %d entries in %d pieces, last %v: %v", limit, n, pieces, last, stream.Err())
		}
		_ = stream.Close()
	}
	stream, err := f.kv.RangeStream(t.Context(), connect.NewRequest(&cairnv1.RangeStreamRequest{Limit: -1}))
	if err == nil {
		stream.Receive()
		err = stream.Err()
		_ = stream.Close()
	}
	if d := detail(t, err); d.Reason != "limit_negative" {
		t.Errorf("got %v", err)
	}
}
