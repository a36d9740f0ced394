package remote

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
)

// Options of a Client.
type Options struct {
	Log *slog.Logger // of members that stop to answer, and answer again; none: discard
}

// Client talks to the members of a cluster. It is safe for concurrent use.
type Client struct {
	log     *slog.Logger
	leaders *leaders
	cluster *identity

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	running sync.WaitGroup // checks, and who asks for the members at first

	mu     sync.Mutex // over changes of the members; taken before that of leaders
	closed bool
	links  []*link.Client // all that are open
}

// Dial begins to connect to the members at addresses, as in "127.0.0.1:7701", and
// returns at once. From any of them it hears who the others are, now and later.
// It connects again whenever that is needed until Close.
func Dial(addresses []string, o Options) *Client {
	c := &Client{log: o.Log}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	var once []string
	for _, a := range addresses {
		if !slices.Contains(once, a) {
			once = append(once, a)
		}
	}
	c.cluster = newIdentity(len(once))
	var seeds []*peer
	for _, a := range once {
		p := c.dial(shardrpc.Member{Address: a})
		p.seed = true
		seeds = append(seeds, p)
	}
	c.leaders = newLeaders(seeds)
	c.running.Go(c.watchMembers)
	return c
}

// dial begins to connect to a member; one whose id is known must be that one.
func (c *Client) dial(m shardrpc.Member) *peer {
	p := &peer{address: m.Address}
	p.link = link.Dial("http://"+m.Address, link.Options{Peer: m.ID, Meet: c.cluster.meet})
	c.links = append(c.links, p.link)
	return p
}

// Close ends the links and every call on them.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	links := c.links
	c.links = nil
	c.mu.Unlock()
	c.cancel()
	c.cluster.late.Stop()
	for _, l := range links {
		l.Close()
	}
	c.running.Wait()
}

// learn takes in who the members are.
func (c *Client) learn(list []shardrpc.Member) {
	for _, p := range c.change(list) {
		p.link.Close()
	}
}

func (c *Client) change(list []shardrpc.Member) (removed []*peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	removed = c.leaders.update(list, c.dial)
	for _, p := range removed {
		c.links = slices.DeleteFunc(c.links, func(l *link.Client) bool { return l == p.link })
	}
	return removed
}
