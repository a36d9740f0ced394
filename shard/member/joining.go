package member

import (
	"context"
	"errors"
	"fmt"

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
	req := shardrpc.Encode(&shardrpc.ReplaceRequest{
		Target: shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1},
		Old:    o.Replace, New: o.ID, Nonce: dir.id.Nonce, Address: o.Address})
	var links []*link.Client
	for _, address := range addresses {
		l := link.Dial("http://"+address, link.Options{Self: link.Identity{ID: o.ID}})
		defer l.Close()
		links = append(links, l)
	}
	last := errors.New("none of them was asked")
	for {
		for _, l := range links { // whoever leads answers
			resp, err := askLeader(ctx, l, req)
			switch {
			case err != nil:
				last = err
			case resp.Answer == shardrpc.Refused && resp.Err != nil:
				return resp.Err
			case resp.Answer == shardrpc.OK:
				dir.id.Cluster = resp.ClusterID
				dir.id.Joined = &joined{Routes: resp.Routes, Members: resp.Members}
				return dir.save()
			default:
				last = fmt.Errorf("the meta group answers %v", resp.Answer)
			}
		}
		if err := o.Env.Sleep(ctx, foundingRetryEvery); err != nil {
			return &txn.Error{Kind: txn.Unavailable, Op: "member.Join", Reason: "joining",
				Err:  fmt.Errorf("nobody let member %d in: %w; %w", o.ID, last, err),
				Next: "name living members with --join"}
		}
	}
}

func askLeader(ctx context.Context, l *link.Client, req []byte) (*shardrpc.ReplaceResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, foundingTryMax)
	defer cancel()
	b, err := l.Call(ctx, uint8(shardrpc.MethodReplace), req)
	if err != nil {
		return nil, err
	}
	return shardrpc.Decode[shardrpc.ReplaceResponse](b)
}
