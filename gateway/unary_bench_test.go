package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/transport"
)

// BenchmarkUnary is a get over one shard in memory, by the ways that clients have: both sides of it.
func BenchmarkUnary(b *testing.B) {
	f := start(b)
	key := []byte("k")
	if _, err := f.g.set(b.Context(), &cairnv1.SetRequest{Key: key, Value: str("v")}); err != nil {
		b.Fatal(err)
	}
	one := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	defer one.CloseIdleConnections()
	via := func(c *http.Client, opts ...connect.ClientOption) func(context.Context) error {
		kv := cairnv1connect.NewKVServiceClient(c, f.url, opts...)
		return func(ctx context.Context) error {
			_, err := kv.Get(ctx, connect.NewRequest(&cairnv1.GetRequest{Key: key}))
			return err
		}
	}
	base, err := url.Parse(f.url)
	if err != nil {
		b.Fatal(err)
	}
	poster := transport.NewPoster(base)
	defer poster.Close()
	for _, way := range []struct {
		name string
		get  func(context.Context) error
	}{
		{"post", func(ctx context.Context) error { return postGet(ctx, poster, key) }},
		{"connect-http1", via(one)},
		{"connect-http2", via(f.h2)},
		{"grpc", via(f.h2, connect.WithGRPC())},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := way.get(b.Context()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// postGet is a get as the SDK makes one.
func postGet(ctx context.Context, p *transport.Poster, key []byte) error {
	body, err := proto.Marshal(&cairnv1.GetRequest{Key: key})
	if err != nil {
		return err
	}
	resp, body, err := p.Post(ctx, &transport.Post{
		Path: cairnv1connect.KVServiceGetProcedure, Header: "Content-Type: application/proto\r\n",
		Body: body, AnswerBytesMax: ResponseBytesMax,
	})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return proto.Unmarshal(body, new(cairnv1.GetResponse))
}
