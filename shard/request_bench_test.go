package shard

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// BenchmarkReplicaRequest commits writes with a request each, 64 at a time: on keys that
// were not written lately, and on few that are written all the time.
func BenchmarkReplicaRequest(b *testing.B) {
	for _, keys := range []int{1000, 1 << 40} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) {
			w := newWorld(b)
			p, err := mvcc.OpenPebble(mvcc.PebbleOptions{Dir: b.TempDir(), Kind: mvcc.StateEngine})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			batch := p.NewBatch()
			if err := Bootstrap(batch, w.route(), []uint64{1}); err != nil {
				b.Fatal(err)
			}
			if err := batch.Commit(false); err != nil {
				b.Fatal(err)
			}
			o := w.r.o
			o.State, o.Log = p, mvcc.OpenMem(mvcc.LogCompare)
			w.r.Close()
			if w.r, err = New(o); err != nil {
				b.Fatal(err)
			}
			w.settle()
			value := make([]byte, 256)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; {
				for range min(64, b.N-i) {
					n := uint64(i%keys) * 0x9e3779b97f4a7c15
					m := w.commitRequest(uint64(i), setTo(fmt.Sprintf("k%016x", n), value))
					m.Request = &txn.Request{Fingerprint: 1}
					binary.BigEndian.PutUint64(m.Request.ID[:], uint64(i)*0xff51afd7ed558ccd)
					m.Anchor = m.Program.Then[0].Key
					w.requestTo(w.r, "", m)
					i++
				}
				w.settle()
				w.env.now += time.Microsecond
				w.metaR.Step(ExtendOracle{})
			}
			b.StopTimer()
			w.r.Close()
		})
	}
}
