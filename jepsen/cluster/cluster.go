//go:build unix

package cluster

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/internal/launch"
)

// Node names an end of a link: m1 to m5 are members, and those after them that took another's
// place; g1 and g2 are gateways.
type Node string

// Clients is where the load runs.
const Clients Node = "c"

// Limits of a cluster.
const (
	membersMin  = 3
	membersMax  = 5
	gatewaysMax = 4
	// sparesMax is how many members may be replaced. Processes know their links from their start, so
	// those to members that may come once are made with all others.
	sparesMax = 4
)

// Options are fixed for the life of a Cluster.
type Options struct {
	Dir      string   // logs and data directories, by node; made if missing
	Programs Programs // what Build made
	Members  int      // 3 or 5
	Gateways int      // 2
	Commit   string   // --commit of the gateways: 2pc or parallel
	Reads    string   // --reads of the members: lease or quorum
	Mutant   string   // planted in all processes; needs programs that can
	// Namespaces gives each node a network namespace of its own, which needs root, instead of a
	// proxy for each link.
	Namespaces bool
}

func (o *Options) validate() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("Dir is required"))
	}
	for _, p := range []string{o.Programs.Gateway, o.Programs.Shard} {
		if _, err := os.Stat(p); err != nil {
			errs = append(errs, fmt.Errorf("program: %w; call Build", err))
		}
	}
	if o.Members < membersMin || o.Members > membersMax {
		errs = append(errs, fmt.Errorf("%d members are not between %d and %d",
			o.Members, membersMin, membersMax))
	}
	if o.Gateways < 1 || o.Gateways > gatewaysMax {
		errs = append(errs, fmt.Errorf("%d gateways are not between 1 and %d", o.Gateways, gatewaysMax))
	}
	return errors.Join(errs...)
}

// Cluster is some members and gateways, all real processes, each behind links of its own. All its
// methods may be called at the same time.
type Cluster struct {
	o         Options
	links     *links
	launchers []*launch.Launcher  // one, or that of each namespace
	router    *router             // between the namespaces; nil: there are none
	dialer    *net.Dialer         // around the links
	http      *http.Client        // for the pages of the processes, around the links
	dbs       map[Node]*client.DB // of the gateways, around the links
	sockets   string              // directory of those for commands
	servers   map[Node]*server    // also those that were replaced and those that may come
	gateways  []Node
	tasks     sync.WaitGroup

	mu      sync.Mutex
	members []Node // that the cluster has, in the order of their ids
	next    uint64 // the id of the next member
	closed  bool
}

func member(id uint64) Node { return Node("m" + strconv.FormatUint(id, 10)) }

// ID of a member; 0: it is none.
func (n Node) ID() uint64 {
	digits, _ := strings.CutPrefix(string(n), "m")
	id, _ := strconv.ParseUint(digits, 10, 64) // 0 with an error
	return id
}

// Members are those that there are now, in the order of their ids.
func (c *Cluster) Members() []Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.members)
}

// Gateways are all of them.
func (c *Cluster) Gateways() []Node { return slices.Clone(c.gateways) }

// nodes are the members and gateways that there are now.
func (c *Cluster) nodes() []Node { return append(c.Members(), c.gateways...) }

// planned are all that there may be once.
func (c *Cluster) planned() []Node { return slices.Sorted(maps.Keys(c.servers)) }

// Endpoint is where clients reach a gateway: through the link from Clients.
func (c *Cluster) Endpoint(gateway Node) string {
	if c.router != nil {
		return "http://" + c.servers[gateway].address
	}
	return "http://" + c.links.address(pair{Clients, gateway})
}

// Close ends everything, and returns when nothing is left but files. Its error is about what nobody
// had asked for: processes that ended by themselves, and what the logs say of panics and races.
func (c *Cluster) Close() error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if closed {
		return nil
	}
	for _, db := range c.dbs {
		db.Close()
	}
	var errs []error
	for _, n := range c.planned() {
		errs = append(errs, c.servers[n].close())
	}
	c.tasks.Wait()
	for _, l := range c.launchers {
		l.Close()
	}
	if c.router != nil {
		errs = append(errs, c.router.close())
	}
	errs = append(errs, c.links.close(), os.RemoveAll(c.sockets))
	return errors.Join(errs...)
}
