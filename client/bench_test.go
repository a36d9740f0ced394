package client_test

import (
	"context"
	"testing"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
)

func benchmark(b *testing.B, unary bool, op func(context.Context, *client.DB) error) {
	_, db := serve(b, clienttest.Options{}, client.Options{Unary: unary})
	ctx := b.Context()
	must(db.SetBytes(ctx, "k", make([]byte, 256)))(b)
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := op(ctx, db); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func get(ctx context.Context, db *client.DB) error {
	_, err := db.Get(ctx, "k")
	return err
}

func set(ctx context.Context, db *client.DB) error {
	_, err := db.SetBytes(ctx, "k", make([]byte, 256))
	return err
}

func BenchmarkStreamGet(b *testing.B) { benchmark(b, false, get) }
func BenchmarkStreamSet(b *testing.B) { benchmark(b, false, set) }
func BenchmarkUnaryGet(b *testing.B)  { benchmark(b, true, get) }
func BenchmarkUnarySet(b *testing.B)  { benchmark(b, true, set) }
