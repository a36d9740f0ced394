package remote

import (
	"context"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/txn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// eventually yields until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

// serveAt serves a member until stop.
func serveAt(t *testing.T, address string, self link.Identity, serve link.Serve) (at string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := link.NewServer(serve, link.ServerOptions{Self: self})
	h := transport.NewServer(s)
	done := make(chan error, 1)
	go func() { done <- h.Serve(l) }()
	return l.Addr().String(), sync.OnceFunc(func() {
		s.Close()
		_ = h.Close()
		<-done
	})
}

// dial connects to one member that answers with serve, and does not say who it is.
func dial(t *testing.T, serve link.Serve) *Client {
	t.Helper()
	at, stop := serveAt(t, "127.0.0.1:0", link.Identity{}, func(
		ctx context.Context, method uint8, b []byte,
	) ([]byte, error) {
		if shardrpc.Method(method) == shardrpc.MethodRoutes {
			return shardrpc.Encode(&shardrpc.RoutesResponse{}), nil
		}
		return serve(ctx, method, b)
	})
	return connect(t, stop, at)
}

// connect ends the client, then the members, with the test.
func connect(t *testing.T, stop func(), addresses ...string) *Client {
	t.Helper()
	c := Dial(addresses, Options{})
	t.Cleanup(func() {
		c.Close()
		stop()
	})
	return c
}

// fakes are the members of a cluster. One of them leads all shards.
type fakes struct {
	mu     sync.Mutex
	byID   map[uint64]*fake
	leader uint64
	listed []shardrpc.Member
}

// fake is a member. Its fields are guarded by the lock of its cluster.
type fake struct {
	of      *fakes
	id      uint64
	address string
	stop    func()

	names  uint64        // who leads, as it believes; 0: whoever does
	lost   bool          // it does not know who leads
	silent chan struct{} // until this is closed, if it is set, it answers nothing
	asked  int           // requests for a shard
	led    int           // those that it answered
}

// newFakes starts members 1 to n, of which the first leads.
func newFakes(t *testing.T, n uint64) *fakes {
	t.Helper()
	f := &fakes{byID: make(map[uint64]*fake), leader: 1}
	for id := uint64(1); id <= n; id++ {
		f.listed = append(f.listed, shardrpc.Member{ID: id, Address: f.start(t, id, "127.0.0.1:0")})
	}
	return f
}

// start starts a member, or starts it again.
func (f *fakes) start(t *testing.T, id uint64, address string) string {
	t.Helper()
	m := &fake{of: f, id: id}
	m.address, m.stop = serveAt(t, address, link.Identity{ClusterID: "fakes", ID: id}, m.serve)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byID[id] = m
	return m.address
}

// change changes what the members do.
func (f *fakes) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// count is how often a member was asked for a shard, and how often it served it.
func (f *fakes) count(id uint64) (asked, led int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byID[id].asked, f.byID[id].led
}

func (f *fakes) total() (asked int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.byID { // order: a sum
		asked += m.asked
	}
	return asked
}

// dial connects to members of the cluster.
func (f *fakes) dial(t *testing.T, ids ...uint64) *Client {
	t.Helper()
	var addresses []string
	for _, id := range ids {
		addresses = append(addresses, f.byID[id].address)
	}
	return connect(t, func() {
		for _, m := range f.byID { // order: does not matter
			m.stop()
		}
	}, addresses...)
}

// knows waits until the client knows the members that are listed.
func (f *fakes) knows(t *testing.T, c *Client) {
	t.Helper()
	eventually(t, "the members are known", func() bool {
		_, known := c.leaders.all()
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(known) == len(f.listed) && known[0].ID != 0
	})
}

func (m *fake) serve(_ context.Context, method uint8, b []byte) ([]byte, error) {
	m.of.mu.Lock()
	silent := m.silent
	m.of.mu.Unlock()
	if silent != nil {
		<-silent // a paused process does not see either that time is up
	}
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	switch shardrpc.Method(method) {
	case shardrpc.MethodRoutes:
		return shardrpc.Encode(&shardrpc.RoutesResponse{Members: m.of.listed,
			Routes: []shardrpc.Route{{Shard: 2, Epoch: 5}}}), nil
	case shardrpc.MethodStatus:
		return shardrpc.Encode(&shardrpc.StatusResponse{Members: []shardrpc.MemberStatus{{MemberID: m.id}}}), nil
	}
	m.asked++
	switch {
	case m.id == m.of.leader:
	case m.lost:
		return nil, &shardrpc.NotLeader{Shard: 2}
	case m.names != 0:
		return nil, &shardrpc.NotLeader{Shard: 2, Leader: m.names}
	default:
		return nil, &shardrpc.NotLeader{Shard: 2, Leader: m.of.leader}
	}
	m.led++
	switch shardrpc.Method(method) {
	case shardrpc.MethodTimestamp:
		return shardrpc.Encode(&shardrpc.TimestampResponse{First: txn.Timestamp(m.id)}), nil
	case shardrpc.MethodTransfer:
		return m.transfer(b)
	case shardrpc.MethodRead:
		return shardrpc.Encode(&shardrpc.ReadResponse{At: txn.Timestamp(m.id)}), nil
	}
	return shardrpc.Encode(&shardrpc.CommitResponse{CommitTS: txn.Timestamp(m.id)}), nil
}

// transfer gives the leadership to a member that there is.
func (m *fake) transfer(b []byte) ([]byte, error) {
	req, err := shardrpc.Decode[shardrpc.TransferRequest](b)
	switch {
	case err != nil:
		return nil, err
	case m.of.byID[req.To] == nil:
		return shardrpc.Encode(&shardrpc.TransferResponse{Answer: shardrpc.Refused}), nil
	case req.Epoch != 5:
		return shardrpc.Encode(&shardrpc.TransferResponse{Answer: shardrpc.Moved}), nil
	}
	m.of.leader = req.To
	return shardrpc.Encode(&shardrpc.TransferResponse{Answer: shardrpc.OK}), nil
}

// commit asks shard 2 once, and returns the member that served it.
func commit(ctx context.Context, c *Client) (by uint64, err error) {
	resp, err := c.Commit(ctx, &shardrpc.CommitRequest{Target: shardrpc.Target{Shard: 2}})
	if err != nil {
		return 0, err
	}
	return uint64(resp.CommitTS), nil
}
