package gateway

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/cairnkv/cairn/proto/transport"
)

const (
	// peerFresh is how long a gateway is taken to be where it was.
	peerFresh = time.Second
	// peersMax is how many gateways are remembered.
	peersMax = 1024
	// findMax is how long the meta group may take to say where a gateway is.
	findMax = time.Second
)

// peers are the other gateways of the cluster, by their sessions.
type peers struct {
	lookUp func(ctx context.Context, session uint32) (address string, open bool, err error)
	now    func() time.Duration
	http   *http.Client

	mu    sync.Mutex
	known map[uint32]peer
}

type peer struct {
	address string
	since   time.Duration
}

func newPeers(o *Options) *peers {
	p := &peers{
		lookUp: o.FindSession, now: o.Env.Now, http: transport.NewClient(),
		known: make(map[uint32]peer),
	}
	if p.lookUp == nil {
		p.lookUp = func(context.Context, uint32) (string, bool, error) { return "", false, nil }
	}
	return p
}

// find is where the gateway of a session is. open false says that the session has ended.
func (p *peers) find(ctx context.Context, session uint32) (address string, open bool, err error) {
	p.mu.Lock()
	k, ok := p.known[session]
	p.mu.Unlock()
	if ok && p.now()-k.since < peerFresh {
		return k.address, true, nil
	}
	asked := p.now()
	ctx, cancel := context.WithTimeout(ctx, findMax)
	defer cancel()
	address, open, err = p.lookUp(ctx, session)
	if err != nil || !open {
		return "", false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= peersMax {
		clear(p.known)
	}
	p.known[session] = peer{address, asked}
	return address, true, nil
}

// forget makes the next find ask.
func (p *peers) forget(session uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, session)
}
