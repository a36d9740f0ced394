package mvcc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/txn"
)

// Pebble is an Engine on disk.
type Pebble struct {
	db      *pebble.DB
	failure *failure
	health  io.Closer // nil: no disk health checks
	options *pebble.Options
	order   keyOrder

	fs         vfs.FS
	staged     string        // the directory of the stages' tables
	stages     atomic.Uint64 // how many there were
	tableBytes int           // see stagedTableBytes
}

// OpenPebble opens or makes the engine in o.Dir. It takes seconds after a
// crash, to replay the write-ahead log.
func OpenPebble(o PebbleOptions) (*Pebble, error) {
	if err := o.validate(); err != nil {
		return nil, &txn.Error{
			Kind: txn.Invalid, Op: "mvcc.OpenPebble", Reason: "storage_options", Err: err,
		}
	}
	health := o.withDefaults()
	p := &Pebble{
		failure: newFailure(&o), health: health, options: o.pebbleOptions(), order: stateOrder(),
		fs: o.FS, staged: o.FS.PathJoin(o.Dir, stagedDir), tableBytes: stagedTableBytes,
	}
	if o.Kind == LogEngine {
		p.order = logOrder()
	}
	po := p.options
	po.Logger = p.failure
	po.FS = walFS{po.FS, p.failure}
	po.EnsureDefaults()
	po.EventListener = &pebble.EventListener{
		BackgroundError: p.failure.background,
		// Whoever reads the corrupt block gets the error too. The rest of the
		// data may be served.
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			o.Log.Error("storage is corrupt", "path", info.Path, "err", info.Details)
		},
	}
	// Opening can end in Fatalf too, which does not return.
	opened := make(chan error, 1)
	go func() {
		err := checkManifest(o.FS, o.Dir)
		if err == nil {
			p.db, err = pebble.Open(o.Dir, po)
		}
		if err == nil { // before, somebody else's stages could be there
			if err = p.fs.RemoveAll(p.staged); err != nil {
				err = errors.Join(err, p.db.Close())
			}
		}
		opened <- err
	}()
	var err error
	select {
	case err = <-opened:
	case <-p.failure.failed:
	}
	if failed := p.failure.get(); failed != nil {
		err = failed
	}
	if err != nil {
		close(p.failure.release)
		p.closeHealth()
		return nil, openError(o.Dir, err)
	}
	return p, nil
}

func openError(dir string, err error) error {
	if _, ok := errors.AsType[*txn.Error](err); ok {
		return err
	}
	e := txn.Errorf(txn.Internal, ReasonStorage, "opening the storage in %s: %w", dir, err)
	if damaged(err) {
		e = txn.Errorf(txn.Internal, ReasonCorruption, "the storage in %s is corrupt: %w", dir, err)
		e.Next = "check the disk; do not start a member of a cluster on it again: let a new one take " +
			"its place with --replace"
	}
	e.Op = "mvcc.OpenPebble"
	return e
}

// damaged reports whether a file is not what was written. Pebble does not call
// it corruption where a write-ahead log has a record that is none, although it
// ends without an error in what a crash can leave.
func damaged(err error) bool {
	return slices.ContainsFunc([]error{
		pebble.ErrCorruption, record.ErrInvalidChunk, record.ErrZeroedChunk, record.ErrUnexpectedEOF,
	}, func(is error) bool { return errors.Is(err, is) })
}

func (p *Pebble) closeHealth() {
	if p.health != nil {
		_ = p.health.Close()
	}
}

// Close closes the engine. After a failure it returns that failure; then
// Pebble may keep a goroutine or a file until the process ends.
func (p *Pebble) Close() error {
	defer p.closeHealth()
	err := p.failure.get()
	close(p.failure.release)
	if err == nil {
		return p.wrap(p.db.Close())
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		defer func() { _ = recover() }() // its state is not to be trusted
		_ = p.db.Close()
	}()
	wait := time.NewTimer(closeWaitMax)
	defer wait.Stop()
	select {
	case <-closed:
	case <-wait.C:
	}
	return err
}

// wrap makes an error of Pebble one of ours.
func (p *Pebble) wrap(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, pebble.ErrCorruption) {
		return corrupt("reading %s: %w", p.failure.dir, err)
	}
	e := txn.Errorf(txn.Internal, ReasonStorage, "storage in %s: %w", p.failure.dir, err)
	e.Op = "mvcc"
	return e
}

// Flush returns once everything committed before it is in a table on disk.
func (p *Pebble) Flush() error {
	if err := p.failure.get(); err != nil {
		return err
	}
	done, err := p.db.AsyncFlush()
	if err != nil {
		return p.wrap(err)
	}
	select {
	case <-done:
		return nil
	case <-p.failure.failed:
		return p.failure.get()
	}
}

// Get copies the value of exactly key.
func (p *Pebble) Get(key []byte) ([]byte, bool, error) {
	v, closer, err := p.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, p.wrap(err)
	}
	value := bytes.Clone(v)
	if value == nil {
		value = []byte{}
	}
	return value, true, p.wrap(closer.Close())
}

// NewIter opens a snapshot.
func (p *Pebble) NewIter(o IterOptions) (Iterator, error) {
	po := pebble.IterOptions{
		LowerBound: o.Lower, UpperBound: o.Upper, OnlyReadGuaranteedDurable: o.Durable,
	}
	if o.MinTS > 0 {
		// One place more than needed spares Pebble a copy.
		po.PointKeyFilters = append(make([]pebble.BlockPropertyFilter, 0, 2),
			cockroachkvs.NewMVCCTimeIntervalFilter(uint64(o.MinTS), math.MaxInt64))
	}
	it, err := p.db.NewIter(&po)
	if err != nil {
		return nil, p.wrap(err)
	}
	return &pebbleIter{Iterator: it, p: p}, nil
}

// pebbleIter is a Pebble iterator with our errors.
type pebbleIter struct {
	*pebble.Iterator
	p *Pebble
}

func (i *pebbleIter) Value() ([]byte, error) {
	v, err := i.Iterator.ValueAndErr()
	return v, i.p.wrap(err)
}

func (i *pebbleIter) Error() error { return i.p.wrap(i.Iterator.Error()) }
func (i *pebbleIter) Close() error { return i.p.wrap(i.Iterator.Close()) }

// NewBatch begins a batch.
func (p *Pebble) NewBatch() Batch { return &pebbleBatch{p: p, b: p.db.NewBatch()} }

type pebbleBatch struct {
	p   *Pebble
	b   *pebble.Batch
	err error // the first that Set and its like came to
}

func (b *pebbleBatch) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *pebbleBatch) Set(key, value []byte) { b.note(b.b.Set(key, value, nil)) }
func (b *pebbleBatch) Delete(key []byte)     { b.note(b.b.Delete(key, nil)) }

func (b *pebbleBatch) DeleteRange(start, end []byte) {
	b.note(b.b.DeleteRange(start, end, nil))
}

func (b *pebbleBatch) Empty() bool { return b.b.Empty() }
func (b *pebbleBatch) Size() int   { return b.b.Len() }
func (b *pebbleBatch) Close()      { _ = b.b.Close() }

func (b *pebbleBatch) Commit(sync bool) (err error) {
	if err := b.p.failure.get(); err != nil {
		return err
	}
	if b.err != nil {
		return b.p.wrap(b.err)
	}
	// Where Pebble cannot begin a new log file it panics with the error.
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case error:
			err = b.p.failure.set(fmt.Errorf("committing: %w", cause))
		default:
			panic(cause) // a bug of ours: a batch used twice
		}
	}()
	opts := pebble.NoSync
	if sync {
		opts = pebble.Sync
		if b.b.Empty() { // Pebble would skip it, and with it the sync
			b.note(b.b.LogData(nil, nil))
		}
	}
	if err := b.b.Commit(opts); err != nil {
		return b.p.failure.set(err)
	}
	return b.p.failure.get()
}
