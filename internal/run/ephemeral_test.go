package run

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/transport"
)

// TestEphemeral: ephemeral keys take no more memory than they may, on whichever side of a link,
// and go with the process.
func TestEphemeral(t *testing.T) {
	const room = 100_000
	t.Run("embedded", func(t *testing.T) {
		data := filepath.Join(t.TempDir(), "data")
		first := start(t, &Gateway{Data: data, Ephemeral: room})
		testEphemeral(t, "http://"+first.address, "http://"+first.address, room)
		first.stop(t)
		again := serve(t, &Gateway{Data: data, Ephemeral: room})
		h := transport.NewClient()
		defer h.CloseIdleConnections()
		got, err := cairnv1connect.NewKVServiceClient(h, again).Get(t.Context(), connect.NewRequest(
			&cairnv1.GetRequest{Key: []byte("hot"), Durability: cairnv1.Durability_DURABILITY_EPHEMERAL}))
		if err != nil || got.Msg.Found {
			t.Errorf("after a restart: %v, %v", got, err)
		}
	})
	t.Run("linked", func(t *testing.T) {
		s := &Shard{Listen: "127.0.0.1:0", Data: filepath.Join(t.TempDir(), "data"), Ephemeral: room, Stdout: t.Output(),
			Stderr: t.Output()}
		member := launch(t, s.Run, &s.Serving)
		gw := serve(t, &Gateway{Shards: []string{member.address}})
		testEphemeral(t, gw, "http://"+member.address, room)
	})
}

func testEphemeral(t *testing.T, endpoint, metrics string, room int) {
	h := transport.NewClient()
	defer h.CloseIdleConnections()
	kv := cairnv1connect.NewKVServiceClient(h, endpoint)
	value := &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: make([]byte, 5000)}}
	set := func(key string) *cairnv1.SetResponse {
		resp, err := kv.Set(t.Context(), connect.NewRequest(&cairnv1.SetRequest{
			Key: []byte(key), Value: value, Durability: cairnv1.Durability_DURABILITY_EPHEMERAL}))
		if err != nil {
			t.Error(err)
			return &cairnv1.SetResponse{}
		}
		return resp.Msg
	}
	// Sixteen writers of one key: each write has a revision of its own, and times go with them.
	const writers, each = 16, 20
	var wrote sync.Map
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			last := int64(0)
			for range each {
				resp := set("hot")
				if _, twice := wrote.LoadOrStore(resp.Revision, resp.CommitTs); twice || resp.CommitTs <= last {
					t.Errorf("r%d at %d, after %d", resp.Revision, resp.CommitTs, last)
				}
				last = resp.CommitTs
			}
		})
	}
	all.Wait()
	before := int64(0)
	for r := range int64(writers * each) {
		at, ok := wrote.Load(r)
		if !ok || at.(int64) <= before {
			t.Fatalf("r%d at %v, after %d", r, at, before)
		}
		before = at.(int64)
	}
	for i := range 50 { // over all shards
		set(fmt.Sprintf("%c%d", "0cjz"[i%4], i))
	}
	_, body := get(t, metrics+"/metrics")
	bytes, keys := total(t, body, "cairn_ephemeral_bytes "), total(t, body, "cairn_ephemeral_keys ")
	gone := total(t, body, "cairn_ephemeral_evictions_total ")
	if bytes > room || bytes < room-6000 || keys*5000 > bytes || keys+gone != 51 {
		t.Errorf("%d bytes in %d keys, %d have gone", bytes, keys, gone)
	}
	set("hot")
}
