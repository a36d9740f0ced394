//go:build unix

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/internal/launch"
	"github.com/cairnkv/cairn/internal/loopback"
	"github.com/cairnkv/cairn/proto/transport"
)

// Found starts a cluster and returns when everything is ready.
func Found(ctx context.Context, o Options) (*Cluster, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("options of a cluster: %w", err)
	}
	c := &Cluster{o: o, links: newLinks(), dialer: new(net.Dialer), next: uint64(o.Members) + 1,
		servers: make(map[Node]*server), dbs: make(map[Node]*client.DB)}
	err := c.plan()
	if err == nil {
		err = c.found(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("founding a cluster in %s: %w", o.Dir, err), c.Close())
	}
	return c, nil
}

// plan gives every node that there may be once its address, its files and its links.
func (c *Cluster) plan() (err error) {
	if err := os.MkdirAll(c.o.Dir, 0o755); err != nil {
		return err
	}
	// The path of a socket has at most a hundred bytes.
	if c.sockets, err = os.MkdirTemp("", "cairn"); err != nil {
		return err
	}
	for id := 1; id <= c.o.Members+sparesMax; id++ {
		n := member(uint64(id))
		c.servers[n] = &server{node: n, program: c.o.Programs.Shard,
			data: filepath.Join(c.o.Dir, string(n))}
		if id <= c.o.Members {
			c.members = append(c.members, n)
		}
	}
	for i := range c.o.Gateways {
		n := Node("g" + strconv.Itoa(i+1))
		c.servers[n] = &server{node: n, program: c.o.Programs.Gateway}
		c.gateways = append(c.gateways, n)
	}
	if c.o.Namespaces {
		err = c.separate()
	} else {
		err = c.connect()
	}
	if err != nil {
		return err
	}
	return c.equip()
}

// separate gives each node a namespace with an address.
func (c *Cluster) separate() (err error) {
	if c.router, err = newRouter(c.links); err != nil {
		return err
	}
	c.dialer = c.router.admin()
	for _, n := range c.planned() {
		s := c.servers[n]
		if s.launcher, s.address, err = c.router.enter(n); err != nil {
			return err
		}
		c.launchers = append(c.launchers, s.launcher)
	}
	return nil
}

// connect gives each node an address, and the links that it may ever need.
func (c *Cluster) connect() error {
	c.launchers = []*launch.Launcher{launch.New(nil)}
	free, err := loopback.Free(len(c.servers))
	if err != nil {
		return err
	}
	for i, n := range c.planned() {
		c.servers[n].launcher, c.servers[n].address = c.launchers[0], free[i]
	}
	for from, s := range c.servers {
		for to, target := range c.servers {
			if from == to || s.data != "" && target.data == "" {
				continue // members never dial gateways
			}
			p := pair{from, to}
			if err := c.links.build(p, target.address); err != nil {
				return err
			}
			s.vias = append(s.vias, target.address+"="+c.links.address(p))
		}
		slices.Sort(s.vias)
	}
	for _, g := range c.gateways {
		if err := c.links.build(pair{Clients, g}, c.servers[g].address); err != nil {
			return err
		}
	}
	return nil
}

// equip prepares for the processes, and for looking at them.
func (c *Cluster) equip() error {
	for n, s := range c.servers {
		s.log, s.socket = filepath.Join(c.o.Dir, string(n)+".log"), filepath.Join(c.sockets, string(n))
		s.env = append(environment(), fault.DialEnv+"="+strings.Join(s.vias, ","),
			fault.SocketEnv+"="+s.socket, "CAIRN_MUTANT="+c.o.Mutant, smallHeaps)
	}
	c.http = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, DialContext: c.dialer.DialContext}}
	for _, g := range c.gateways {
		h := transport.NewClient()
		h.Transport.(*http.Transport).DialContext = c.dialer.DialContext
		db, err := client.New(client.Options{Endpoint: "http://" + c.servers[g].address, HTTPClient: h})
		if err != nil {
			return err
		}
		c.dbs[g] = db
	}
	return nil
}

// smallHeaps saves the tenth of the processor that several processes with next to nothing in memory
// would collect garbage for.
const smallHeaps = "GOGC=400"

// environment is ours without what is meant for Cairn: a process gets that from its cluster alone.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "CAIRN_")
	})
}

// found starts everything at once: members wait for each other, and gateways for them.
func (c *Cluster) found(ctx context.Context) error {
	for _, m := range c.members {
		c.servers[m].args = []string{"--id", strconv.FormatUint(m.ID(), 10),
			"--join", c.addresses(c.members)}
	}
	for _, n := range c.nodes() {
		if err := c.start(c.servers[n]); err != nil {
			return err
		}
	}
	return c.AwaitHealthy(ctx)
}

// args are those of a process that starts now.
func (c *Cluster) args(s *server) []string {
	args := append([]string{"--listen", s.address}, s.args...)
	if s.data == "" {
		args = append(args, "--shards", c.addresses(c.Members()))
		if c.o.Commit != "" {
			args = append(args, "--commit", c.o.Commit)
		}
		return args
	}
	args = append(args, "--data", s.data, "--cache", "32")
	if c.o.Reads != "" {
		args = append(args, "--reads", c.o.Reads)
	}
	return args
}

// addresses of members, as lists of them are written.
func (c *Cluster) addresses(members []Node) string {
	var a []string
	for _, m := range members {
		a = append(a, c.servers[m].address)
	}
	return strings.Join(a, ",")
}
