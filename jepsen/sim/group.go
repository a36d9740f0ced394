package sim

import (
	"fmt"
	"strings"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// group is a shard and the nodes on which its replicas are.
type group struct {
	route shardrpc.Route
	nodes []*node
	watch watch
}

// voters are the raft ids of the group's first members.
func (g *group) voters() []uint64 {
	var ids []uint64
	for _, n := range g.nodes {
		ids = append(ids, n.member)
	}
	return ids
}

// node is where a member lives now; nil if it lives nowhere.
func (g *group) node(member uint64) *node {
	for _, n := range g.nodes {
		if n.member == member {
			return n
		}
	}
	return nil
}

// replica is the one on n; nil while n is down.
func (g *group) replica(n *node) *replica {
	if n.proc == nil || n.proc.member == nil {
		return nil
	}
	return n.proc.member.replica(g.route.Shard)
}

// serves reports whether some replica serves.
func (g *group) serves() bool {
	for _, n := range g.nodes {
		if rep := g.replica(n); rep != nil && rep.r.Status().Serving {
			return true
		}
	}
	return false
}

// leader is the node whose replica leads as far as it knows itself; nil if none does.
func (g *group) leader() *node {
	for _, n := range g.nodes {
		if rep := g.replica(n); rep != nil && rep.r.Leader() == n.member {
			return n
		}
	}
	return nil
}

// settled reports whether all replicas have applied all that the leader has in
// its log.
func (g *group) settled() bool {
	n := g.leader()
	if n == nil || !g.serves() || n.w.plan.grouped && !g.complete() {
		return false
	}
	last := max(g.replica(n).last, g.replica(n).applied)
	for _, n := range g.nodes {
		if rep := g.replica(n); rep == nil || rep.applied != last {
			return false
		}
	}
	return true
}

// tell is for people who wonder why it is not settled.
func (g *group) tell() string {
	var s []string
	for _, n := range g.nodes {
		if rep := g.replica(n); rep == nil {
			s = append(s, n.name+" is down")
		} else {
			st := rep.r.Status()
			s = append(s, fmt.Sprintf("member %d on %s has applied %d of %d, says that member %d "+
				"leads voters %v and learners %v", n.member, n.name, rep.applied, st.LastIndex,
				st.LeaderID, st.Voters, st.Learners))
		}
	}
	return strings.Join(s, "; ")
}

// build puts up the machines of the plan.
func (w *world) build() error {
	p := w.plan
	for i, np := range p.nodes {
		n := &node{w: w, id: i, name: fmt.Sprintf("n%d", i), gateway: np.gateway,
			sole: np.gateway && np.member && p.gateways() == 1}
		if np.member {
			n.member = uint64(i + 1)
			w.members = append(w.members, n)
		}
		w.nodes = append(w.nodes, n)
	}
	none := txn.NewKey(txn.SystemKeyspace, nil)
	w.host(0, shardrpc.Route{Shard: shardrpc.MetaShard, Epoch: 1,
		Span: txn.Span{Start: none, End: none}})
	var start txn.Key
	for i, home := range p.homes {
		var end txn.Key
		if i < len(p.cuts) {
			end = userKey(p.cuts[i])
		}
		route := shardrpc.Route{Shard: shardrpc.ShardID(i + 2), Epoch: 1,
			Span: txn.Span{Start: start, End: end}}
		w.routes = append(w.routes, route)
		w.host(home, route)
		start = end
	}
	for _, n := range w.members {
		if err := n.bootstrap(); err != nil {
			return err
		}
	}
	return nil
}

// host puts a shard on one node or, in a group, on all members.
func (w *world) host(home int, route shardrpc.Route) {
	g := &group{route: route, nodes: []*node{w.nodes[home]}, watch: newWatch()}
	if w.plan.grouped {
		g.nodes = w.members
	}
	for _, n := range g.nodes {
		n.hosts = append(n.hosts, g)
	}
	w.groups = append(w.groups, g)
}

// group finds a shard: they are numbered from the meta group on.
func (w *world) group(id shardrpc.ShardID) *group { return w.groups[id-shardrpc.MetaShard] }

func (w *world) meta() *group { return w.group(shardrpc.MetaShard) }

func userKey(s string) txn.Key { return txn.NewKey(txn.DefaultKeyspace, []byte(s)) }
