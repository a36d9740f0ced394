package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// A cluster is founded at the first start of its founders, which are named in
// the same order to all of them. Each makes up a nonce, which stays with its
// data directory, and asks the others to be let in. The first founder waits
// until all have asked, and then writes down the cluster's id and who they are;
// from then on each of them is told that, and nobody else under the same id:
// an empty directory would have forgotten what it promised to others (R12).
// Once founded, any founder can tell.

const (
	foundersMax = 7
	// foundingRetryEvery is the pause between two rounds of asking.
	foundingRetryEvery = 100 * time.Millisecond
	foundingTryMax     = time.Second
	// foundingForget is how long a founder that has asked may be silent before
	// another data directory may ask in its place.
	foundingForget = (foundersMax + 1) * foundingTryMax
)

// founded is what founding came to, in the ident.
type founded struct {
	Founders []string `json:"founders"`
	Splits   [][]byte `json:"splits"`
	Nonces   []uint64 `json:"nonces"`
}

// asked is who asked to be let in as one of the founders.
type asked struct {
	nonce uint64 // 0: nobody yet
	at    time.Duration
}

// Founding is a member before it belongs to a cluster.
type Founding struct {
	o   Options
	dir *datadir
	mu  struct {
		sync.Mutex
		asked   []asked // by founder
		formed  *founded
		cluster string
	}
}

// Found opens a data directory that should belong to a founder of a cluster. It
// returns nil if that is so already, or if no cluster is to be founded: Open it then.
func Found(o Options) (*Founding, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, &txn.Error{Kind: txn.Invalid, Op: "member.Found", Reason: "options", Err: err}
	}
	if len(o.Founders) == 0 {
		return nil, nil
	}
	fs := o.FS
	if fs == nil {
		fs = vfs.Default
	}
	dir, err := openDir(fs, o.Dir, o.ident())
	if err != nil {
		return nil, err
	}
	if dir.id.Cluster != "" {
		return nil, errors.Join(founder(dir, &o), dir.close())
	}
	f := &Founding{o: o, dir: dir}
	f.mu.asked = make([]asked, len(o.Founders))
	f.mu.asked[o.ID-1].nonce = dir.id.Nonce
	return f, nil
}

// founder refuses a directory that can have no place among these founders.
func founder(dir *datadir, o *Options) error {
	if dir.id.Joined != nil || dir.id.Founded != nil {
		return nil // whoever takes the place of a founder may change how it starts
	}
	if len(o.Founders) == 1 {
		return nil
	}
	return alone(dir)
}

func alone(dir *datadir) error {
	e := txn.Errorf(txn.Invalid, "member_alone",
		"the data directory %s is that of the only member of cluster %s", dir.path, dir.id.Cluster)
	e.Next = "start it without --join, or choose an empty directory with --data"
	return e
}

// Identity is what the others are told while there is no cluster.
func (f *Founding) Identity() link.Identity { return link.Identity{ID: f.o.ID, Terms: f.o.terms()} }

// Close gives the directory back.
func (f *Founding) Close() error { return f.dir.close() }

// Serve answers the other founders; it is a link.Serve.
func (f *Founding) Serve(ctx context.Context, method uint8, b []byte) ([]byte, error) {
	if shardrpc.Method(method) != shardrpc.MethodFound {
		return nil, txn.Errorf(txn.Unavailable, "founding", "the cluster is being founded")
	}
	return answer(ctx, b, nil, f.found)
}

// found takes note of another founder.
func (f *Founding) found(
	_ context.Context, req *shardrpc.FoundRequest,
) (*shardrpc.FoundResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.formed != nil {
		return f.mu.formed.admit(f.mu.cluster, req)
	}
	switch {
	case !slices.Equal(req.Founders, f.o.Founders):
		e := txn.Errorf(txn.Invalid, "founders_differ", "member %d names the founders %q, member %d %q",
			req.ID, req.Founders, f.o.ID, f.o.Founders)
		e.Next = "start all members with the same --join, in the same order"
		return nil, e
	case !slices.EqualFunc(req.Splits, f.o.Splits, slices.Equal):
		e := txn.Errorf(txn.Invalid, "founders_differ", "member %d cuts shards at %q, member %d at %q",
			req.ID, req.Splits, f.o.ID, f.o.Splits)
		e.Next = "start all members with the same --split"
		return nil, e
	case req.ID == 0 || req.ID > uint64(len(f.o.Founders)) || req.ID == f.o.ID:
		return nil, idTaken(req.ID)
	}
	now, a := f.o.Env.Now(), &f.mu.asked[req.ID-1]
	if a.nonce != 0 && a.nonce != req.Nonce && now-a.at < foundingForget {
		return nil, idTaken(req.ID)
	}
	*a = asked{req.Nonce, now}
	return &shardrpc.FoundResponse{}, nil
}

func idTaken(id uint64) error {
	e := txn.Errorf(txn.Invalid, "member_id_taken", "member %d is another process", id)
	e.Next = "give each member its place in --join as its --id"
	return e
}

// admit answers a founder: only the one that it was at the time.
func (w *founded) admit(
	cluster string, req *shardrpc.FoundRequest,
) (*shardrpc.FoundResponse, error) {
	i := int(req.ID) - 1
	if i >= 0 && i < len(w.Nonces) && w.Nonces[i] == req.Nonce {
		return &shardrpc.FoundResponse{Formed: true, ClusterID: cluster, Splits: w.Splits,
			Nonces: w.Nonces}, nil
	}
	e := txn.Errorf(txn.Invalid, "member_lost_its_disk",
		"member %d belongs to cluster %s with another data directory; this one is empty",
		req.ID, cluster)
	e.Next = fmt.Sprintf("find that directory, or start a new member in its place, with an --id that "+
		"was never used and --replace %d", req.ID)
	return nil, e
}

// Run asks the other founders until the cluster is there, or ctx is done.
func (f *Founding) Run(ctx context.Context) error {
	links := make([]*link.Client, len(f.o.Founders))
	for i, address := range f.o.Founders {
		if uint64(i)+1 != f.o.ID {
			links[i] = link.Dial("http://"+address,
				link.Options{Self: f.Identity(), Peer: uint64(i) + 1})
			defer links[i].Close()
		}
	}
	var told string
	for {
		var missing []string
		for i, l := range links {
			if l == nil {
				continue
			}
			done, why, err := f.ask(ctx, l)
			if done || err != nil {
				return err
			}
			if why != "" {
				missing = append(missing, f.o.Founders[i]+": "+why)
			}
		}
		if done, err := f.form(); done || err != nil {
			return err
		}
		if now := strings.Join(missing, ", "); now != told && now != "" && ctx.Err() == nil {
			told = now
			f.o.Log.Info("waiting for the other founders of the cluster", "missing", missing)
		}
		if err := f.o.Env.Sleep(ctx, foundingRetryEvery); err != nil {
			return &txn.Error{Kind: txn.Unavailable, Op: "member.Found", Reason: "founding",
				Err:  fmt.Errorf("no answer from the founders %q: %w", missing, err),
				Next: "start the other members that --join names"}
		}
	}
}

// ask asks one of the others. What keeps it from answering may pass; why says
// what it is.
func (f *Founding) ask(ctx context.Context, l *link.Client) (done bool, why string, err error) {
	ctx, cancel := context.WithTimeout(ctx, foundingTryMax)
	defer cancel()
	resp, err := ask[shardrpc.FoundResponse](ctx, l, shardrpc.MethodFound, &shardrpc.FoundRequest{
		ID: f.o.ID, Nonce: f.dir.id.Nonce, Founders: f.o.Founders, Splits: f.o.Splits})
	m, mismatch := errors.AsType[*link.Mismatch](err)
	switch {
	case err != nil && txn.KindOf(err) == txn.Invalid:
		return false, "", err
	case mismatch:
		return false, m.Error(), nil
	case err != nil:
		return false, "silent", nil
	case !resp.Formed:
		return false, "", nil
	}
	return true, "", f.save(resp.ClusterID, &founded{Founders: f.o.Founders, Splits: resp.Splits,
		Nonces: resp.Nonces})
}

// form is the first founder's: once all have asked, there is a cluster.
func (f *Founding) form() (done bool, err error) {
	w := &founded{Founders: f.o.Founders, Splits: f.o.Splits}
	f.mu.Lock()
	for _, a := range f.mu.asked {
		w.Nonces = append(w.Nonces, a.nonce)
	}
	f.mu.Unlock()
	if f.o.ID != 1 || slices.Contains(w.Nonces, 0) {
		return false, nil
	}
	cluster, err := newClusterID(f.o.Dir)
	if err != nil {
		return false, err
	}
	return true, f.save(cluster, w)
}

// save makes it durable before anybody hears of it.
func (f *Founding) save(cluster string, w *founded) error {
	f.dir.id.Cluster, f.dir.id.Founded = cluster, w
	if err := f.dir.save(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.cluster, f.mu.formed = cluster, w
	f.o.Log.Info("the cluster is founded", "cluster", cluster, "member", f.o.ID)
	return nil
}

// found answers a founder that has not heard yet.
func (m *Member) found(
	_ context.Context, req *shardrpc.FoundRequest,
) (*shardrpc.FoundResponse, error) {
	w := m.dir.id.Founded
	if w == nil {
		w = &founded{}
	}
	return w.admit(m.ClusterID(), req)
}
