package member

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

// Limits of a member.
const (
	callsMax       = 1 << 16  // waiting for answers, a worker; more get Unavailable
	inboxBytesMax  = 64 << 20 // of raft messages that wait for a worker; more are lost
	flushLogBytes  = 64 << 20
	freeBytesMin   = 512 << 20
	freeFraction   = 20 // 1/20 of the disk
	keeperInterval = time.Second
	splitsMax      = 1024
	tickMin        = time.Millisecond
	// sessionRetryEvery is how long OpenSession sleeps while meta starts.
	sessionRetryEvery = 5 * time.Millisecond
)

// Options are fixed for the life of a Member. Zero means the default.
type Options struct {
	Dir     string // required
	Release string // of this program, for the ident of a new directory; required
	// ID is this member's, of several; 0: whatever the directory says, and of a new
	// one the only member.
	ID uint64
	// Founders are the addresses of the members that found the cluster, this one's at
	// place ID; none: it is not to be founded.
	Founders []string
	// Replace is the member whose place this one takes; 0: nobody's.
	Replace uint64
	Address string // where other members and gateways reach this one, to Join
	// Splits cut keyspace default into shards at the first start, in order.
	// nil: at ":", "h" and "p". Later starts keep what they find.
	Splits       [][]byte
	Env          env.Env       // required
	FS           vfs.FS        // nil: the disk, with health checks
	Watched      bool          // health checks with an FS, too
	CacheBytes   int64         // of blocks, half as much for newest versions; 128 MiB
	TickInterval time.Duration // 40ms; ten of them are a lease
	// QuorumReads makes every read ask a quorum instead of trusting clocks to
	// run at the same rate within 2 %.
	QuorumReads bool
	Workers     int // 1 to 64; default one for two processors
	// EphemeralBytes bounds the memory for ephemeral keys. 64 MiB
	EphemeralBytes int64
	// Retention is how long the outcome of a transaction can be asked for. 15min
	Retention time.Duration
	// TruncateBytes and KeepBytes are those of shard.Options, for tests.
	TruncateBytes, KeepBytes int64
	// DiskSpace measures the file system of a directory, in bytes. Tests fake it.
	DiskSpace func(dir string) (free, total uint64, err error)
	Log       *slog.Logger // discard
}

func (o Options) withDefaults() Options {
	if o.Splits == nil {
		o.Splits = [][]byte{[]byte(":"), []byte("h"), []byte("p")}
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 128 << 20
	}
	if o.EphemeralBytes == 0 {
		o.EphemeralBytes = shard.EphemeralBytesDefault
	}
	if o.TickInterval == 0 {
		o.TickInterval = 40 * time.Millisecond
	}
	if o.TruncateBytes == 0 {
		o.TruncateBytes = shard.TruncateBytesMin
	}
	if o.Workers == 0 {
		o.Workers = defaultWorkers()
	}
	if o.DiskSpace == nil {
		o.DiskSpace = diskSpace
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("Dir is required"))
	}
	if o.Release == "" {
		errs = append(errs, errors.New("Release is required"))
	}
	if o.Env == nil {
		errs = append(errs, errors.New("Env is required"))
	}
	if o.Workers < 1 || o.Workers > 64 {
		errs = append(errs, fmt.Errorf("Workers %d is not between 1 and 64", o.Workers))
	}
	if o.EphemeralBytes < 0 {
		errs = append(errs, fmt.Errorf("EphemeralBytes %d is negative", o.EphemeralBytes))
	}
	if o.Retention < 0 {
		errs = append(errs, fmt.Errorf("Retention %v is negative", o.Retention))
	}
	if o.TickInterval < tickMin {
		errs = append(errs, fmt.Errorf("TickInterval %v is less than %v", o.TickInterval, tickMin))
	}
	if len(o.Splits) > splitsMax {
		errs = append(errs, fmt.Errorf("%d splits, the limit is %d", len(o.Splits), splitsMax))
	}
	for i, s := range o.Splits {
		if len(s) == 0 || len(s) > txn.KeyBytesMax {
			errs = append(errs, fmt.Errorf("split %d has %d bytes, not 1 to %d",
				i, len(s), txn.KeyBytesMax))
		}
		if i > 0 && string(o.Splits[i-1]) >= string(s) {
			errs = append(errs, fmt.Errorf("split %q does not come after %q", s, o.Splits[i-1]))
		}
	}
	return errors.Join(append(errs, o.validateCluster()...)...)
}

func (o Options) validateCluster() (errs []error) {
	n := len(o.Founders)
	switch {
	case n == 0:
	case n == 2 || n > foundersMax:
		errs = append(errs, fmt.Errorf("a cluster is founded by 1 or 3 to %d members, not by %d",
			foundersMax, n))
	case o.ID < 1 || o.ID > uint64(n):
		errs = append(errs, fmt.Errorf("member id %d is no place in a list of %d founders", o.ID, n))
	}
	for i, address := range o.Founders {
		if err := reachable(address); err != nil {
			errs = append(errs, err)
		}
		if slices.Contains(o.Founders[:i], address) {
			errs = append(errs, fmt.Errorf("founder %s is named twice", address))
		}
	}
	if o.Replace != 0 && (o.ID == 0 || o.ID == o.Replace || n > 0 || o.Address == "") {
		errs = append(errs, errors.New("Replace needs an ID of its own and an Address, and no Founders"))
	}
	if o.Replace != 0 && o.Address != "" {
		if err := reachable(o.Address); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// terms are what all members must have the same: a lease rests on the others'
// promise to wait as long.
func (o Options) terms() string { return fmt.Sprint("--tick ", o.TickInterval) }

// reachable refuses what is no address to reach a member at from elsewhere.
func reachable(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() || err != nil || n == 0 {
		return fmt.Errorf("nobody else can reach a member at %q; give a host and a port", address)
	}
	return nil
}

// ident is that of a new directory.
func (o Options) ident() ident { return ident{Release: o.Release, Member: o.ID} }
