package shard

import (
	"encoding/binary"
	"fmt"

	"github.com/cairnkv/cairn/txn"
)

// The raft entry format of docs/formats.md. Numbers are in the log: append,
// never reorder.
const entryVersion = 1

type commandKind uint8

const (
	cmdWrite    commandKind = 1 // 1PC
	cmdPrewrite commandKind = 2
	cmdResolve  commandKind = 3
	cmdDecide   commandKind = 4
	// 5 and 6 are kept for GCThreshold and Split.
	cmdMeta commandKind = 7 // the rest is for the meta group's state machine
)

// commandBytesMin is what the smallest command takes: kind, flags, proposal,
// term, epoch and an empty body.
const commandBytesMin = 2 + 8 + 1 + 1 + 1

// Flags of a command.
const (
	flagRecord = 1 << 0 // prewrite: the record too
	flagCommit = 1 << 1 // resolve: commit, else abort
	flagsKnown = flagRecord | flagCommit
)

// op is what a command does to one key.
type op struct {
	key   txn.Key
	wrote bool   // false: an intent without a version
	value []byte // encoded version
	// keys and bytes are what it adds to the live keys and bytes of the shard.
	keys, bytes int64
}

// command is one proposal. Which fields count depends on kind.
type command struct {
	kind     commandKind
	flags    uint8
	proposal uint64 // who waits for it; meaningful on the proposer only
	term     uint64 // of the proposer (R8, R9)
	epoch    uint64

	txn     txn.ID
	baseTS  txn.Timestamp
	ts      txn.Timestamp // c, c_i, or C
	maxTS   txn.Timestamp
	age     txn.Age
	primary txn.Key
	hash    uint64
	from    txn.Mask
	to      txn.Status
	ops     []op
	keys    []txn.Key
	body    []byte // meta
}

// size is about what c takes in an entry.
func (c *command) size() int {
	n := len(c.body)
	for i := range c.ops {
		n += len(c.ops[i].key) + len(c.ops[i].value)
	}
	for _, k := range c.keys {
		n += len(k)
	}
	return n
}

func appendEntry(dst []byte, commands []*command) []byte {
	dst = append(dst, entryVersion)
	dst = binary.AppendUvarint(dst, 0) // closedTS: follower reads come later
	dst = binary.AppendUvarint(dst, uint64(len(commands)))
	for _, c := range commands {
		dst = c.append(dst)
	}
	return dst
}

func (c *command) append(dst []byte) []byte {
	dst = append(dst, byte(c.kind), c.flags)
	dst = binary.BigEndian.AppendUint64(dst, c.proposal)
	dst = binary.AppendUvarint(dst, c.term)
	dst = binary.AppendUvarint(dst, c.epoch)
	if c.kind == cmdMeta {
		return appendBytes(dst, c.body)
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.txn))
	dst = binary.AppendUvarint(dst, uint64(c.ts))
	switch c.kind {
	case cmdWrite:
		return appendOps(dst, c.ops)
	case cmdPrewrite:
		dst = binary.AppendUvarint(dst, uint64(c.baseTS))
		dst = binary.AppendUvarint(dst, uint64(c.maxTS))
		dst = binary.AppendUvarint(dst, uint64(c.age.At))
		dst = binary.BigEndian.AppendUint64(dst, uint64(c.age.ID))
		dst = binary.BigEndian.AppendUint64(dst, c.hash)
		dst = appendBytes(dst, c.primary)
		return appendOps(dst, c.ops)
	case cmdResolve:
		dst = binary.AppendUvarint(dst, uint64(len(c.keys)))
		for _, k := range c.keys {
			dst = appendBytes(dst, k)
		}
		return dst
	default: // cmdDecide
		dst = binary.AppendUvarint(dst, uint64(c.baseTS))
		dst = append(dst, byte(c.from), byte(c.to))
		return appendBytes(dst, c.primary)
	}
}

func appendOps(dst []byte, ops []op) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ops)))
	for i := range ops {
		o := &ops[i]
		dst = appendBytes(dst, o.key)
		dst = append(dst, 0)
		if o.wrote {
			dst[len(dst)-1] = 1
		}
		dst = binary.AppendVarint(dst, o.keys)
		dst = binary.AppendVarint(dst, o.bytes)
		dst = appendBytes(dst, o.value)
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// decodeEntry decodes what appendEntry wrote. The commands share b.
func decodeEntry(b []byte) ([]command, error) {
	d := decoder{b: b}
	if v := d.u8(); v != entryVersion && !d.bad {
		return nil, fmt.Errorf("raft entry version %d is unknown to this release", v)
	}
	d.uvarint() // closedTS
	n := d.uvarint()
	if n > uint64(len(d.b)/commandBytesMin) {
		return nil, fmt.Errorf("a raft entry of %d bytes claims %d commands", len(b), n)
	}
	commands := make([]command, n)
	for i := range commands {
		if err := d.command(&commands[i]); err != nil {
			return nil, err
		}
	}
	if d.bad || len(d.b) > 0 {
		return nil, fmt.Errorf("a raft entry of %d bytes does not decode", len(b))
	}
	return commands, nil
}

func (d *decoder) command(c *command) error {
	c.kind, c.flags = commandKind(d.u8()), d.u8()
	c.proposal, c.term, c.epoch = d.u64(), d.uvarint(), d.uvarint()
	if c.flags&^flagsKnown != 0 {
		return fmt.Errorf("command flags %#x are unknown to this release", c.flags)
	}
	if c.kind == cmdMeta {
		c.body = d.bytes()
		return nil
	}
	c.txn, c.ts = txn.ID(d.u64()), d.ts()
	switch c.kind {
	case cmdWrite:
		c.ops = d.ops()
	case cmdPrewrite:
		c.baseTS, c.maxTS = d.ts(), d.ts()
		c.age = txn.Age{At: d.ts(), ID: txn.ID(d.u64())}
		c.hash, c.primary = d.u64(), d.bytes()
		c.ops = d.ops()
	case cmdResolve:
		c.keys = make([]txn.Key, d.count())
		for i := range c.keys {
			c.keys[i] = d.bytes()
		}
	case cmdDecide:
		c.baseTS = d.ts()
		c.from, c.to = txn.Mask(d.u8()), txn.Status(d.u8())
		c.primary = d.bytes()
	default:
		return fmt.Errorf("command kind %d is unknown to this release", c.kind)
	}
	return nil
}

func (d *decoder) ops() []op {
	ops := make([]op, d.count())
	for i := range ops {
		o := &ops[i]
		o.key, o.wrote = d.bytes(), d.bool()
		o.keys, o.bytes, o.value = d.varint(), d.varint(), d.bytes()
	}
	return ops
}

// decoder cuts fields from the front of b; the first that does not fit sets
// bad, and what follows reads as zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

func (d *decoder) u8() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool() bool {
	v := d.u8()
	if v > 1 {
		d.fail()
	}
	return v == 1
}

func (d *decoder) u64() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads how many items follow; each takes at least a byte.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) ts() txn.Timestamp { return txn.Timestamp(d.uvarint()) }

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}
