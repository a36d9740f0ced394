package main

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnkv/cairn/client"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/transport"
)

const inMemory = cairnv1.Durability_DURABILITY_EPHEMERAL

// counting is a client that counts up one ephemeral key, through both gateways, and reads it after
// every write. What it knows must be so: the key has the last value that was acknowledged, or is
// gone, and then it begins anew.
type counting struct {
	key      string
	gateways []cairnv1connect.KVServiceClient
	n        int64   // the last value that was sent
	may      []int64 // what the key may have; 0: it may be missing
	lives    int     // how often it began at r0
	wrote    atomic.Int64
	reads    int
	wrong    []string
}

func (c *counting) gateway(i int64) cairnv1connect.KVServiceClient {
	return c.gateways[int(i)%len(c.gateways)]
}

// step writes once and reads once.
func (c *counting) step(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c.n++
	set, err := c.gateway(c.n).Set(ctx, connect.NewRequest(&cairnv1.SetRequest{
		Key: []byte(c.key), Durability: inMemory,
		Value: &cairnv1.Value{Kind: &cairnv1.Value_IntValue{IntValue: c.n}},
	}))
	if err == nil {
		c.written(set.Msg)
	} else if connect.CodeOf(err) == connect.CodeUnknown { // else it was not done
		c.may = append(c.may, c.n)
	}
	get, err := c.gateway(c.n/2).Get(ctx, connect.NewRequest(&cairnv1.GetRequest{
		Key: []byte(c.key), Durability: inMemory,
	}))
	if err != nil {
		return
	}
	c.reads++
	got := get.Msg.GetValue().GetIntValue()
	if got != 0 && !slices.Contains(c.may, got) {
		c.wrong = append(c.wrong, fmt.Sprintf("read %d of r%d, it may be one of %v", got, get.Msg.Revision, c.may))
	}
	c.may = []int64{got}
}

func (c *counting) written(set *cairnv1.SetResponse) {
	c.wrote.Add(1)
	if set.Revision == 0 {
		c.lives++
	}
	// It was missing before only if it began anew: nothing has deleted it.
	if missing := set.PrevRevision == -1; missing != (set.Revision == 0) {
		c.wrong = append(c.wrong, fmt.Sprintf("r%d is written over r%d", set.Revision, set.PrevRevision))
	}
	if slices.Equal(c.may, []int64{0}) && set.Revision != 0 {
		c.wrong = append(c.wrong, fmt.Sprintf("r%d is written to a key that was missing", set.Revision))
	}
	c.may = []int64{c.n}
}

// TestClusterEphemeral kills leaders: their ephemeral keys are gone and nothing of them comes back,
// while new ones begin at r0 and persistent keys of the same names stay.
func TestClusterEphemeral(t *testing.T) {
	besideOthers(t)
	c := newCluster(t, 3)
	h := transport.NewClient()
	t.Cleanup(h.CloseIdleConnections)
	var clients []*counting
	for _, key := range []string{"0", "c", "j", "z"} { // of shards 2 to 5
		k := &counting{key: key, may: []int64{0}}
		for _, g := range c.gateways {
			k.gateways = append(k.gateways, cairnv1connect.NewKVServiceClient(h, g.endpoint))
		}
		clients = append(clients, k)
		if _, err := c.dbs[0].SetString(t.Context(), key, "persistent"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, k := range clients {
		running.Go(func() {
			for ctx.Err() == nil {
				k.step(t.Context())
			}
		})
	}
	more := func(k *counting, n int64) {
		goal := k.wrote.Load() + n
		eventually(t, "ephemeral key "+k.key+" is written", func() bool { return k.wrote.Load() >= goal })
	}
	kills := rounds(t, 3, 10)
	for i := range kills {
		for _, k := range clients {
			more(k, 20)
		}
		id := c.leader(t, uint64(2+i%4))
		c.members[id-1].kill()
		for _, k := range clients {
			more(k, 20)
		}
		c.start(t, id)
		c.members[id-1].await(t)
		c.awaitCaughtUp(t, id)
	}
	stop()
	running.Wait()
	lives := 0
	for _, k := range clients {
		lives += k.lives
		t.Logf("key %q: %d writes, %d reads, %d lives", k.key, k.wrote.Load(), k.reads, k.lives)
		for _, w := range k.wrong[:min(len(k.wrong), 5)] {
			t.Errorf("key %q: %s", k.key, w)
		}
		e, err := c.dbs[1].Get(t.Context(), k.key)
		if err != nil || !e.Found() || e.Revision != 0 || !reflect.DeepEqual(e.Value, client.StringValue("persistent")) {
			t.Errorf("the persistent key %q: %+v, %v", k.key, e, err)
		}
	}
	if lives < len(clients)+kills {
		t.Errorf("%d kills ended %d lives of %d keys", kills, lives-len(clients), len(clients))
	}
}
