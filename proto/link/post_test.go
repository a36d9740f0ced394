package link

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

// met waits until c has a session in which the other side has answered.
func met(t testing.TB, c *Client) Identity {
	t.Helper()
	var peer Identity
	eventually(t, func() (ok bool) {
		peer, ok = c.Peer()
		return ok
	})
	return peer
}

// Posted messages keep their order, whatever travels beside them.
func TestPostsInOrder(t *testing.T) {
	const n = PostsMax / 2 // never more than may wait
	got := make(chan uint64, n)
	us := Identity{ClusterID: "blue", ID: 7, Address: "10.0.0.7:7701", Terms: "tick 1s"}
	_, url := serveAt(t, echo, ServerOptions{
		Self: Identity{ClusterID: "blue", ID: 2},
		Posted: func(from Identity, method uint8, payload []byte) {
			if i := binary.BigEndian.Uint64(payload); from != us || method != uint8(i) {
				t.Errorf("message %d came from %v as %d", i, from, method)
			} else {
				got <- i
			}
		},
	})
	c := dial(t, url, Options{Self: us, Peer: 2})
	if peer := met(t, c); peer != (Identity{ClusterID: "blue", ID: 2}) {
		t.Errorf("the peer is %v", peer)
	}
	calls := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 1000 && err == nil; i++ {
			_, err = c.Call(t.Context(), 1, make([]byte, i))
		}
		calls <- err
	}()
	for i := range uint64(n) {
		if err := c.Post(uint8(i), binary.BigEndian.AppendUint64(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(n) {
		if v := wait(t, got); v != i {
			t.Fatalf("got %d after %d messages", v, i)
		}
	}
	if err := wait(t, calls); err != nil {
		t.Error(err)
	}
}

// Nothing is posted while nobody has answered, and none of it comes later.
func TestPostWithoutSession(t *testing.T) {
	refuse := func(c *Client, why error) {
		t.Helper()
		err := c.Post(1, []byte("x"))
		if !errors.Is(err, ErrUnsent) || !errors.Is(err, why) || txn.KindOf(err) != txn.Unavailable {
			t.Errorf("got %v, want %v", err, why)
		}
		if peer, ok := c.Peer(); ok {
			t.Errorf("the peer is %v", peer)
		}
	}
	mute, err := net.Listen("tcp", "127.0.0.1:0") // opens connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	c := Dial("http://"+mute.Addr().String(), Options{})
	refuse(c, errNotConnected)
	c.Close()
	refuse(c, ErrClosed)

	_, url := serveAt(t, echo, ServerOptions{Self: Identity{ID: 2}})
	other := dial(t, url, Options{Peer: 3})
	if _, err := other.Call(t.Context(), 1, nil); !errors.Is(err, ErrUnsent) {
		t.Fatal(err)
	}
	if err := other.Post(1, nil); !errors.Is(err, ErrUnsent) {
		t.Errorf("a message for another member: %v", err)
	}
}

// When the other side's process ends, a client hears of it; when the other side comes back,
// so does the link.
func TestPostAfterRestart(t *testing.T) {
	got := make(chan string, 1)
	serve := func(id uint64, address string) (url string, stop func()) {
		s := NewServer(echo, ServerOptions{
			Self: Identity{ID: id}, Posted: func(_ Identity, _ uint8, p []byte) { got <- string(p) },
		})
		url, hang := listen(t, s, address)
		return url, func() {
			hang() // first: nobody says goodbye
			s.Close()
		}
	}
	url, stop := serve(1, "127.0.0.1:0")
	c := Dial(url, Options{})
	defer c.Close()
	met(t, c)
	if err := c.Post(1, []byte("one")); err != nil || wait(t, got) != "one" {
		t.Fatal(err)
	}
	stop()
	eventually(t, func() bool {
		err := c.Post(1, []byte("two"))
		return errors.Is(err, ErrUnsent) && !errors.Is(err, errPostsFull) // it has heard of the end
	})
	_, stop = serve(2, strings.TrimPrefix(url, "http://"))
	defer stop()
	if peer := met(t, c); peer.ID != 2 {
		t.Errorf("the peer is %v", peer)
	}
	if err := c.Post(1, []byte("three")); err != nil || wait(t, got) != "three" {
		t.Errorf("the message was lost, or is late: %v", err)
	}
}

// A peer that takes nothing holds up nobody: what it cannot be told is dropped, and the rest comes
// in order when it wakes up.
func TestPostToSilentPeer(t *testing.T) {
	for _, size := range []int{FrameBytesMax, PostBytesMax / 2} { // what the kernel takes, and not
		postToSilentPeer(t, size)
	}
}

func postToSilentPeer(t *testing.T, size int) {
	wake, got := make(chan struct{}), make(chan uint64, 4*PostsMax)
	url := serveWire(t, func(_ context.Context, w *wire) error {
		if _, err := meet(w); err != nil {
			return err
		}
		if err := greet(w, Identity{}); err != nil {
			return err
		}
		<-wake
		newExchange(NewServer(echo, ServerOptions{
			Posted: func(_ Identity, _ uint8, p []byte) { got <- binary.BigEndian.Uint64(p) },
		}), w).run()
		return nil
	})
	c := Dial(url, Options{})
	defer c.Close()
	met(t, c)
	var accepted []uint64
	post := func(i uint64, size int) error {
		err := c.Post(1, append(binary.BigEndian.AppendUint64(nil, i), make([]byte, size-8)...))
		if err == nil {
			accepted = append(accepted, i)
		}
		return err
	}
	var full error
	i := uint64(0)
	for ; full == nil && i < 1000; i++ {
		full = post(i, size)
	}
	if !errors.Is(full, ErrUnsent) || !errors.Is(full, errPostsFull) || txn.KindOf(full) != txn.Exhausted {
		t.Fatalf("after %d messages: %v", i, full)
	}
	s := c.session.Load()
	s.mu.Lock()
	if s.out.postBytes > PostBytesMax || s.out.flying == 0 || s.out.flying > FlyingMax {
		t.Errorf("%d bytes wait, %d frames are under way", s.out.postBytes, s.out.flying)
	}
	s.mu.Unlock()
	close(wake)
	eventually(t, func() bool { // the window opens, and there is room again
		i++
		return post(i, 8) == nil
	})
	for n, want := range accepted {
		if v := wait(t, got); v != want {
			t.Fatalf("got %d after %d messages, want %d", v, n, want)
		}
	}
}

func TestPostBounds(t *testing.T) {
	var o outbox
	post := func(size int) error { return o.post(&message{kind: kindPost, payload: make([]byte, size)}) }
	for range PostsMax {
		if err := post(0); err != nil {
			t.Fatal(err)
		}
	}
	if !errors.Is(post(0), errPostsFull) {
		t.Error("too many wait")
	}
	if o.push(&message{kind: kindCall}); len(o.queue) != PostsMax+1 {
		t.Error("posted messages take the place of calls")
	}
	var f outFrame
	if !o.next(&f) || len(f.messages) != PostsMax+1 || post(0) != nil || o.posts != 1 {
		t.Errorf("%d wait after a frame of %d", o.posts, len(f.messages))
	}
	o = outbox{}
	if post(PostBytesMax) != nil || !errors.Is(post(1), errPostsFull) || post(0) != nil {
		t.Error("too many bytes wait, or too few")
	}
	f.messages = nil
	if o.fill(&f); len(f.messages) != 1 || o.posts != 1 || o.postBytes != 0 || post(1) != nil {
		t.Errorf("%d messages of %d bytes wait after one frame", o.posts, o.postBytes)
	}
	err := new(Client).Post(1, make([]byte, PayloadBytesMax+1))
	if !errors.Is(err, ErrUnsent) || txn.KindOf(err) != txn.Invalid {
		t.Errorf("a payload that is too large: %v", err)
	}
}

// After Close nobody is told any more.
func TestNoPostAfterServerClose(t *testing.T) {
	var closed atomic.Bool
	first := make(chan struct{}, 1)
	s, url := serveAt(t, echo, ServerOptions{Posted: func(Identity, uint8, []byte) {
		if closed.Load() {
			t.Error("a message after Close")
		}
		signal(first)
	}})
	c := dial(t, url, Options{})
	met(t, c)
	posting := make(chan struct{})
	go func() {
		defer close(posting)
		for err := error(nil); err == nil || errors.Is(err, errPostsFull); {
			err = c.Post(1, nil)
		}
	}()
	wait(t, first)
	s.Close()
	closed.Store(true)
	wait(t, posting)
}
