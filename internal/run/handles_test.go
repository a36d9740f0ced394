package run

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/transport"
)

// TestTransactionOfAnotherGateway: a transaction that one gateway holds can be used through
// another one, and is lost with the one that holds it.
func TestTransactionOfAnotherGateway(t *testing.T) {
	member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
	shards := []string{member.address}
	first, second := start(t, &Gateway{Shards: shards}), start(t, &Gateway{Shards: shards})
	h2 := transport.NewClient()
	t.Cleanup(h2.CloseIdleConnections)
	begins := cairnv1connect.NewTxnServiceClient(h2, "http://"+first.address)
	ends := cairnv1connect.NewTxnServiceClient(h2, "http://"+second.address)
	kv := cairnv1connect.NewKVServiceClient(h2, "http://"+second.address)
	ctx := t.Context()
	value := &cairnv1.Value{Kind: &cairnv1.Value_StringValue{StringValue: "v"}}
	begin := func() string {
		b, err := begins.Begin(ctx, connect.NewRequest(&cairnv1.BeginRequest{
			Mode: cairnv1.TxnMode_TXN_MODE_PESSIMISTIC, Priority: cairnv1.Priority_PRIORITY_LOW,
		}))
		if err != nil {
			t.Fatal(err)
		}
		set, err := kv.Set(ctx, connect.NewRequest(&cairnv1.SetRequest{
			Txn: b.Msg.Txn, Key: []byte("k"), Value: value,
		}))
		if err != nil {
			t.Fatal(err)
		}
		return set.Msg.Txn
	}
	done, err := ends.Commit(ctx, connect.NewRequest(&cairnv1.CommitRequest{Txn: begin()}))
	if err != nil || len(done.Msg.Written) != 1 {
		t.Fatalf("%v %v", done, err)
	}
	lost := begin()
	first.stop(t)
	stopped := time.Now()
	_, err = kv.Get(ctx, connect.NewRequest(&cairnv1.GetRequest{Txn: lost, Key: []byte("k")}))
	e, ok := errors.AsType[*connect.Error](err)
	if !ok || e.Code() != connect.CodeAborted || reason(e) != "gateway_lost" {
		t.Errorf("after %v: %v", time.Since(stopped), err)
	}
}

// reason is the word for programs in an error's detail.
func reason(e *connect.Error) string {
	for _, d := range e.Details() {
		if v, err := d.Value(); err == nil {
			if detail, ok := v.(*cairnv1.ErrorDetail); ok {
				return detail.Reason
			}
		}
	}
	return ""
}

func TestAdvertised(t *testing.T) {
	local, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = local.Close() }()
	everywhere, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = everywhere.Close() }()
	if got, err := advertised("", local); err != nil || got != local.Addr().String() {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := advertised("gw:1", everywhere); err != nil || got != "gw:1" {
		t.Errorf("%q, %v", got, err)
	}
	host, port, err := net.SplitHostPort(must(advertised("", everywhere))(t))
	_, want, _ := net.SplitHostPort(everywhere.Addr().String())
	if err != nil || host == "" || host == "::" || port != want {
		t.Errorf("%q %q, %v", host, port, err)
	}
	for _, bad := range []string{"gw", ":7600"} {
		if got, err := advertised(bad, local); err == nil {
			t.Errorf("%q is taken for %q", bad, got)
		}
	}
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
