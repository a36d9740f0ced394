package workload

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/cairnkv/cairn/client"
)

const (
	// strays is in how many requests a roaming client goes to another gateway.
	strays = 8
	// idleConnections are the connections that a roaming client keeps for each gateway.
	idleConnections = 4
)

// route is the way of a client to the gateways: a DB for each, one of which is
// in use, or one DB whose requests go to any of them, also in the middle of a
// transaction.
type route struct {
	o       client.Options // but for the Endpoint
	hosts   []string
	dbs     []*client.DB // nil: not made yet
	at      int
	roaming *roamer
}

// newRoute makes the way of the client with a number: half of them use the
// stream, a quarter single calls, a quarter roams. One in six names no requests.
func newRoute(endpoints []string, number int) (*route, error) {
	r := &route{hosts: endpoints, at: number % len(endpoints)}
	r.o.LockAfter = lockAfter
	r.o.NoRequestIDs = number%6 == 5
	r.o.Principal = fmt.Sprint("client ", number)
	switch number % 4 {
	case 2:
		r.o.Unary = true
	case 3:
		var err error
		if r.roaming, err = newRoamer(endpoints, uint64(number)); err != nil {
			return nil, err
		}
		r.o.Unary, r.o.HTTPClient = true, &http.Client{Transport: r.roaming}
		r.hosts, r.at = endpoints[:1], 0
	}
	r.dbs = make([]*client.DB, len(r.hosts))
	_, err := r.all() // what is wrong with an endpoint shows here
	return r, err
}

// called is how a history calls the way, and the gateway.
func (r *route) called() (suffix, gateway string) {
	gateway = fmt.Sprint("g", r.at+1)
	switch {
	case r.roaming != nil:
		return "-roaming", ""
	case r.o.Unary:
		return "-unary", gateway
	}
	return "", gateway
}

// all are the DBs, the one in use first.
func (r *route) all() ([]*client.DB, error) {
	all := make([]*client.DB, len(r.dbs))
	for i := range all {
		at := (r.at + i) % len(r.dbs)
		if r.dbs[at] == nil {
			o := r.o
			o.Endpoint = r.hosts[at]
			db, err := client.New(o)
			if err != nil {
				return nil, err
			}
			r.dbs[at] = db
		}
		all[i] = r.dbs[at]
	}
	return all, nil
}

// away goes to another gateway.
func (r *route) away(random *rand.Rand) {
	if r.roaming != nil {
		r.roaming.away()
	} else if n := len(r.hosts); n > 1 {
		r.at = (r.at + 1 + random.IntN(n-1)) % n
	}
}

// drop hangs up; the next call connects again.
func (r *route) drop() {
	if db := r.dbs[r.at]; db != nil {
		r.dbs[r.at] = nil
		db.Close()
	}
	if r.roaming != nil {
		r.roaming.next.CloseIdleConnections()
	}
}

func (r *route) close() {
	for r.at = range r.dbs {
		r.drop()
	}
}

// roamer sends each request to some gateway, as a proxy between clients and
// gateways may.
type roamer struct {
	hosts []*url.URL
	next  *http.Transport

	mu   sync.Mutex
	rand *rand.Rand
	at   int
}

func newRoamer(endpoints []string, seed uint64) (*roamer, error) {
	r := &roamer{
		next: &http.Transport{MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: time.Minute},
		rand: rand.New(rand.NewPCG(seed, strays)),
	}
	for _, endpoint := range endpoints {
		u, err := url.Parse(endpoint)
		if err != nil {
			return nil, err
		}
		r.hosts = append(r.hosts, u)
	}
	return r, nil
}

// RoundTrip implements http.RoundTripper.
func (r *roamer) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	if r.rand.IntN(strays) == 0 {
		r.at = r.rand.IntN(len(r.hosts))
	}
	host := r.hosts[r.at]
	r.mu.Unlock()
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host, req.Host = host.Scheme, host.Host, host.Host
	res, err := r.next.RoundTrip(req)
	if err != nil {
		r.away()
	}
	return res, err
}

func (r *roamer) away() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = (r.at + 1) % len(r.hosts)
}
