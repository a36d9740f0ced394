package member

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// joined is what a member was told when it took the place of another, in the ident.
type joined struct {
	Routes  []shardrpc.Route  `json:"routes"`
	Members []shardrpc.Member `json:"members"`
}

// Join asks the members at addresses to let this one in, in the place of
// Options.Replace, until they do, refuse, or ctx is done. There is nothing to do
// if the data directory belongs to the cluster already.
func Join(ctx context.Context, o Options, addresses []string) error {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return &txn.Error{Kind: txn.Invalid, Op: "member.Join", Reason: "options", Err: err}
	}
	fs := o.FS
	if fs == nil {
		fs = vfs.Default
	}
	dir, err := openDir(fs, o.Dir, o.ident())
	if err != nil {
		return err
	}
	switch {
	case dir.id.Cluster == "":
		err = askToJoin(ctx, &o, dir, addresses)
	case dir.id.Founded != nil:
		err = txn.Errorf(txn.Invalid, "member_founded", "member %d is a founder of cluster %s, "+
			"and takes nobody's place", dir.id.Member, dir.id.Cluster)
	case dir.id.Joined == nil:
		err = alone(dir)
	}
	return errors.Join(err, dir.close())
}

func askToJoin(ctx context.Context, o *Options, dir *datadir, addresses []string) error {
	req := &shardrpc.ReplaceRequest{
		Target: shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1},
		Old:    o.Replace, New: o.ID, Nonce: dir.id.Nonce, Address: o.Address}
	var links []*link.Client
	defer func() {
		for _, l := range links {
			l.Close()
		}
	}()
	told := ""
	for {
		last := errors.New("none of them was asked")
		for i := 0; i < len(addresses); i++ { // whoever leads answers
			if i == len(links) {
				links = append(links, link.Dial("http://"+addresses[i],
					link.Options{Self: link.Identity{ID: o.ID, Terms: o.terms()}}))
			}
			resp, err := askLeader(ctx, links[i], req)
			switch {
			case err != nil:
				last = err
				if _, elsewhere := errors.AsType[*shardrpc.NotLeader](err); elsewhere {
					addresses = moreMembers(ctx, links[i], addresses)
				}
			case resp.Answer == shardrpc.Refused && resp.Err != nil:
				if last = resp.Err; txn.KindOf(last) != txn.Unavailable {
					return last
				}
				i = len(addresses) // it was the leader
			case resp.Answer == shardrpc.OK:
				dir.id.Cluster = resp.ClusterID
				dir.id.Joined = &joined{Routes: resp.Routes, Members: resp.Members}
				return dir.save()
			default:
				last = fmt.Errorf("the meta group answers %v", resp.Answer)
			}
		}
		if now := last.Error(); now != told && ctx.Err() == nil {
			told = now
			o.Log.Info("waiting for the cluster to let this member in", "error", last)
		}
		if err := o.Env.Sleep(ctx, foundingRetryEvery); err != nil {
			return &txn.Error{Kind: txn.Unavailable, Op: "member.Join", Reason: "joining",
				Err:  fmt.Errorf("nobody let member %d in: %w; %w", o.ID, last, err),
				Next: "name living members with --join"}
		}
	}
}

// moreMembers adds the members that l's lists to addresses.
func moreMembers(ctx context.Context, l *link.Client, addresses []string) []string {
	ctx, cancel := context.WithTimeout(ctx, foundingTryMax)
	defer cancel()
	resp, err := ask[shardrpc.RoutesResponse](ctx, l, shardrpc.MethodRoutes,
		&shardrpc.RoutesRequest{})
	if err != nil {
		return addresses
	}
	addresses = slices.Clone(addresses)
	for _, m := range resp.Members {
		if !slices.Contains(addresses, m.Address) {
			addresses = append(addresses, m.Address)
		}
	}
	return addresses
}

func askLeader(
	ctx context.Context, l *link.Client, req *shardrpc.ReplaceRequest,
) (*shardrpc.ReplaceResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, foundingTryMax)
	defer cancel()
	return ask[shardrpc.ReplaceResponse](ctx, l, shardrpc.MethodReplace, req)
}
