package mvcc

import (
	"errors"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	stateMemTableBytes = 32 << 20
	logMemTableBytes   = 16 << 20
	memTablesMax       = 3
	blockBytes         = 8 << 10
	indexBlockBytes    = 256 << 10
	bloomBitsPerKey    = 10
	openFilesMax       = 16_384
	// diskSlowAfter is how long one disk operation may take before OnSlow hears of it.
	diskSlowAfter = 2 * time.Second
)

// Cache is a block cache that several engines may share.
type Cache = pebble.Cache

// NewCache makes a cache of that many bytes. The caller calls Unref once the
// engines that use it are open or have failed to.
func NewCache(bytes int64) *Cache { return pebble.NewCache(bytes) }

// PebbleOptions are fixed for the life of a Pebble.
type PebbleOptions struct {
	Dir  string // required; made if missing
	Kind Kind
	// FS nil is the disk, with disk health checks. Any other is used as it is,
	// or Watched, with health checks too.
	FS      vfs.FS
	Watched bool
	// Cache nil is a small cache of its own.
	Cache *Cache
	// OnFatal is called once, with the first error that the engine cannot go
	// on after. It may be called with locks of the engine held: it must not
	// call the engine nor wait for anything that does.
	OnFatal func(error)
	// OnSlow is called when a disk operation takes long, with its duration so
	// far. The same rules hold. Only with health checks.
	OnSlow func(time.Duration)
	Log    *slog.Logger // nil: discard
}

func (o *PebbleOptions) validate() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("the engine's Dir is required"))
	}
	if o.Kind > LogEngine {
		errs = append(errs, errors.New("the engine's Kind is unknown"))
	}
	return errors.Join(errs...)
}

// withDefaults fills in what the caller left out. The closer ends the disk
// health checks; it is nil if there are none.
func (o *PebbleOptions) withDefaults() io.Closer {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnFatal == nil {
		o.OnFatal = func(error) {}
	}
	switch {
	case o.FS == nil:
		o.FS = vfs.Default
	case !o.Watched:
		return nil
	}
	log, onSlow := o.Log, o.OnSlow
	fs, health := vfs.WithDiskHealthChecks(o.FS, diskSlowAfter, nil,
		func(info vfs.DiskSlowInfo) {
			log.Warn("disk operation is slow", "op", info.OpType.String(), "path", info.Path,
				"for", info.Duration)
			if onSlow != nil {
				onSlow(info.Duration)
			}
		})
	o.FS = fs
	return health
}

// pebbleOptions are the choices of docs/formats.md and docs/transactions.md, engine by engine.
func (o *PebbleOptions) pebbleOptions() *pebble.Options {
	po := &pebble.Options{
		Cache:                       o.Cache,
		FS:                          o.FS,
		FormatMajorVersion:          pebble.FormatNewest, // Pebble's default is its oldest
		MaxOpenFiles:                openFilesMax,
		MemTableStopWritesThreshold: memTablesMax,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000, // never: the shard slows its writers before that
		CompactionConcurrencyRange: func() (lower, upper int) {
			return 1, max(1, runtime.GOMAXPROCS(0)/2)
		},
	}
	// An ingest that waits in the WAL would be acknowledged before it is durable.
	po.Experimental.DisableIngestAsFlushable = func() bool { return true }
	po.Experimental.EnableColumnarBlocks = func() bool { return true }
	po.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{Enabled: false}
	}
	for i := range po.Levels {
		po.Levels[i].BlockSize = blockBytes
		po.Levels[i].IndexBlockSize = indexBlockBytes
		po.Levels[i].FilterPolicy = pebble.NoFilterPolicy
	}
	if o.Kind == LogEngine {
		o.forLog(po)
	} else {
		o.forState(po)
	}
	return po
}

// forLog suits entries that are written once, read rarely and deleted young.
func (o *PebbleOptions) forLog(po *pebble.Options) {
	po.MemTableSize = logMemTableBytes
	for i := range po.Levels {
		po.Levels[i].Compression = func() *block.CompressionProfile {
			return block.NoCompression
		}
	}
}

// forState suits versions. The last level has no filter: its filters would be
// nine tenths of all, and help only reads of keys that do not exist.
func (o *PebbleOptions) forState(po *pebble.Options) {
	po.MemTableSize = stateMemTableBytes
	po.Comparer = &cockroachkvs.Comparer
	po.KeySchema = cockroachkvs.KeySchema.Name
	po.KeySchemas = sstable.MakeKeySchemas(&cockroachkvs.KeySchema)
	po.BlockPropertyCollectors = cockroachkvs.BlockPropertyCollectors
	for i := range len(po.Levels) - 1 {
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBitsPerKey)
		po.Levels[i].FilterType = pebble.TableFilter
	}
}

// EngineStats are figures for operators and for the shard's admission gate.
type EngineStats struct {
	DiskBytes      uint64 // all files, those waiting for deletion included
	WALBytes       uint64
	MemTableBytes  uint64
	L0Files        int64
	ReadAmp        int // runs that a read may have to look into
	CompactionDebt uint64
}

// Stats reads the figures; it takes microseconds and the engine's lock.
func (p *Pebble) Stats() EngineStats {
	m := p.db.Metrics()
	return EngineStats{
		DiskBytes: m.DiskSpaceUsage(), WALBytes: m.WAL.Size, MemTableBytes: m.MemTable.Size,
		L0Files: m.Levels[0].TablesCount, ReadAmp: m.ReadAmp(),
		CompactionDebt: m.Compact.EstimatedDebt,
	}
}
