package run

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cairnkv/cairn/client"
)

// cutter is a network between clients and gateways that breaks.
type cutter struct {
	l    net.Listener
	done sync.WaitGroup

	mu    sync.Mutex
	to    string // where new connections lead
	mute  bool   // answers get lost
	every int    // so many pieces of requests get through to the end of a connection; 0: all
	open  map[net.Conn]struct{}
}

func newCutter(t testing.TB, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{l: l, to: to, open: make(map[net.Conn]struct{})}
	c.done.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.cut(to)
		c.done.Wait()
	})
	return c
}

func (c *cutter) accept() {
	for {
		from, err := c.l.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		to, err := net.Dial("tcp", c.to)
		if err != nil {
			c.mu.Unlock()
			_ = from.Close()
			continue
		}
		c.open[from], c.open[to] = struct{}{}, struct{}{}
		c.mu.Unlock()
		c.done.Go(func() { c.pass(from, to, true) })
		c.done.Go(func() { c.pass(to, from, false) })
	}
}

// pass ends both connections with the first that ends.
func (c *cutter) pass(from, to net.Conn, requests bool) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, conn := range []net.Conn{from, to} {
			_ = conn.Close()
			delete(c.open, conn)
		}
	}()
	buf := make([]byte, 64<<10)
	for pieces := 1; ; pieces++ {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		c.mu.Lock()
		lost, last := c.mute && !requests, requests && pieces == c.every
		c.mu.Unlock()
		if lost {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil || last {
			return
		}
	}
}

// loseAnswers lets requests through, and no answers.
func (c *cutter) loseAnswers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mute = true
}

// cut ends all connections. New ones lead elsewhere, and whole.
func (c *cutter) cut(to string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.to, c.mute, c.every = to, false, 0
	for conn := range c.open {
		_ = conn.Close()
	}
}

// cutEvery ends each connection after n pieces.
func (c *cutter) cutEvery(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.every = n
}

// TestAnswerLostOnTheWay: the connection is cut when a call has taken effect and before its answer
// is there, and the next one leads to another gateway. The caller hears what came of the call, and
// it has happened once.
func TestAnswerLostOnTheWay(t *testing.T) {
	member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
	first := start(t, &Gateway{Shards: []string{member.address}})
	second := start(t, &Gateway{Shards: []string{member.address}})
	direct := dial(t, "http://"+second.address, false)
	for _, unary := range []bool{false, true} {
		wire := newCutter(t, first.address)
		db := dial(t, "http://"+wire.l.Addr().String(), unary)
		lose := func(key string, revision int64, call func(context.Context) error) {
			t.Helper()
			wire.loseAnswers()
			ended := make(chan error, 1)
			go func() { ended <- call(t.Context()) }()
			eventually(t, "its effect", func() bool {
				e, err := direct.Get(t.Context(), key)
				return err == nil && e.Revision == revision
			})
			wire.cut(second.address)
			if err := <-ended; err != nil {
				t.Errorf("%s, unary=%v: %v", key, unary, err)
			}
			e, err := direct.Get(t.Context(), key)
			if err != nil || e.Revision != revision {
				t.Errorf("%s, unary=%v: %+v, %v", key, unary, e, err)
			}
			wire.cut(first.address)
		}
		set := fmt.Sprint("set", unary)
		lose(set, 0, func(ctx context.Context) error {
			r, err := db.Create(ctx, set, client.IntValue(1))
			if err == nil && (!r.Set || r.Revision != 0) {
				t.Errorf("create: %+v", r)
			}
			return err
		})
		lose(set, 1, func(ctx context.Context) error {
			out, err := db.Execute(ctx, client.Program{
				If:   client.RevisionIs(set, client.Equal, 0),
				Then: []client.Op{client.SetOp(set, client.IntValue(2), client.SetOptions{})},
			})
			if err == nil && (!out.Succeeded || out.Results[0].Set.Revision != 1) {
				t.Errorf("execute: %+v", out)
			}
			return err
		})
		commit := fmt.Sprint("commit", unary)
		tx, err := db.Begin(t.Context(), client.TxnOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.SetString(t.Context(), commit, "v"); err != nil {
			t.Fatal(err)
		}
		lose(commit, 0, func(ctx context.Context) error {
			r, err := tx.Commit(ctx)
			if err == nil && r.CommitTS == 0 {
				t.Errorf("commit: %+v", r)
			}
			return err
		})
	}
}

// TestFirstWriteLostOnTheWay: nobody hears of a transaction's first write, or of its commit either.
// What is told of the commit is true all the same.
func TestFirstWriteLostOnTheWay(t *testing.T) {
	member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
	gateway := start(t, &Gateway{Shards: []string{member.address}})
	direct := dial(t, "http://"+gateway.address, false)
	for i, unary := range []bool{false, true} {
		for j, another := range []bool{false, true} {
			wire := newCutter(t, gateway.address)
			db := dial(t, "http://"+wire.l.Addr().String(), unary)
			tx, err := db.Begin(t.Context(), client.TxnOptions{})
			if err != nil {
				t.Fatal(err)
			}
			lose := func(what string, done func() bool, call func() error) error {
				wire.loseAnswers()
				ended := make(chan error, 1)
				go func() { ended <- call() }()
				eventually(t, what, done)
				wire.cut(gateway.address)
				return <-ended
			}
			err = lose("the write", func() bool {
				open, err := direct.OpenTxns(t.Context())
				return err == nil && len(open) == 1 && open[0].KeysWritten == 1
			}, func() error {
				_, err := tx.SetString(t.Context(), "a", "v")
				return err
			})
			if err == nil {
				t.Fatal("the answer was not lost")
			}
			if !another { // then Commit has to ask what the first write was
				_, err := tx.Commit(t.Context())
				e, gerr := direct.Get(t.Context(), "a")
				if err != nil || gerr != nil || e.Revision != int64(2*i+j) {
					t.Errorf("unary=%v: commit: %v, and then %+v, %v", unary, err, e, gerr)
				}
				continue
			}
			if _, err := tx.SetString(t.Context(), "b", "v"); err != nil {
				t.Fatal(err)
			}
			err = lose("the commit", func() bool {
				e, err := direct.Get(t.Context(), "a")
				return err == nil && e.Revision == int64(2*i+j)
			}, func() error {
				_, err := tx.Commit(t.Context())
				return err
			})
			if err != nil {
				t.Errorf("unary=%v: it was committed: %v", unary, err)
			}
		}
	}
}

// TestCutTransactions: connections that end all the time neither lose what a function did nor double it,
// though its first call opens the transaction and its commit brings the writes.
func TestCutTransactions(t *testing.T) {
	const adds = 30
	gateway := start(t, &Gateway{Data: filepath.Join(t.TempDir(), "data"), Splits: []string{"m"}})
	for _, every := range []int{8, 9, 12, 15} {
		wire := newCutter(t, gateway.address)
		wire.cutEvery(every)
		db := dial(t, "http://"+wire.l.Addr().String(), every%2 == 1)
		keys := []string{fmt.Sprint("z", every), fmt.Sprint("a", every)}
		add := func(tx *client.Txn) error {
			for _, key := range keys {
				e, err := tx.Get(t.Context(), key)
				if err != nil {
					return err
				}
				n := int64(1)
				if e.Found() {
					n += e.Value.Int()
				}
				if _, err := tx.Set(t.Context(), key, client.IntValue(n), client.SetOptions{}); err != nil {
					return err
				}
			}
			return nil
		}
		for range adds {
			if err := db.Update(t.Context(), add); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range keys {
			if e, err := db.Get(t.Context(), key); err != nil || e.Value.Int() != adds || e.Revision != adds-1 {
				t.Errorf("cut every %d: %+v, %v after %d transactions", every, e, err, adds)
			}
		}
	}
}

// TestCutConnections: connections that end all the time neither lose a write nor double one.
func TestCutConnections(t *testing.T) {
	const writes = 30
	gateway := start(t, &Gateway{Data: filepath.Join(t.TempDir(), "data"), Splits: []string{"m"}})
	for _, every := range []int{8, 9, 12, 15} { // a few are what a connection begins with
		wire := newCutter(t, gateway.address)
		wire.cutEvery(every)
		db := dial(t, "http://"+wire.l.Addr().String(), every%2 == 1)
		keys := []string{fmt.Sprint("a", every), fmt.Sprint("z", every)}
		for i := range writes {
			v := client.IntValue(int64(i))
			out, err := db.Execute(t.Context(), client.Program{Then: []client.Op{
				client.SetOp(keys[0], v, client.SetOptions{}),
				client.SetOp(keys[1], v, client.SetOptions{}),
			}})
			if err != nil || out.Results[1].Set.Revision != int64(i) {
				t.Fatalf("every %d: write %d: %+v, %v", every, i, out, err)
			}
		}
	}
}
