package raftwire

import "testing"

// The costs of one message in a batch of 64, once there and once back.

func BenchmarkHeartbeat(b *testing.B) { benchMessage(b, Envelope{5, heartbeat()}) }

func BenchmarkAppend4KiB(b *testing.B) {
	benchMessage(b, Envelope{5, appendOf(make([]byte, 4<<10))})
}

func benchMessage(b *testing.B, e Envelope) {
	batch := make([]Envelope, 64)
	for i := range batch {
		batch[i] = e
	}
	wire := Append(nil, batch)
	perMessage := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/message")
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		dst := make([]byte, 0, len(wire))
		for b.Loop() {
			dst = Append(dst[:0], batch)
		}
		perMessage(b)
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(wire); err != nil {
				b.Fatal(err)
			}
		}
		perMessage(b)
	})
}
