package shard

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cairnkv/cairn/proto/fields"
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
	cmdCollect  commandKind = 5
	// 6 is kept for Split.
	cmdMeta  commandKind = 7 // the rest is for the meta group's state machine
	cmdForgo commandKind = 8 // a request is not to be carried out any more
	cmdDrop  commandKind = 9 // a keyspace is deleted; with ts: what it had goes
)

// commandBytesMin is what the smallest command takes: kind, flags, proposal,
// term, epoch and an empty body.
const commandBytesMin = 2 + 8 + 1 + 1 + 1

// commandBytes is about what a command takes besides its keys and values.
const commandBytes = 64

// recordNameBytesMin is what the shortest one takes.
const recordNameBytesMin = 1 + 8

const rowNameBytesMin = 1 + txn.RequestIDBytes

// Flags of a command.
const (
	flagRecord  = 1 << 0 // prewrite: the record too
	flagCommit  = 1 << 1 // resolve: commit, else abort
	flagStaging = 1 << 2 // prewrite: the record is staging and has keys
	flagDone    = 1 << 3 // resolve: the record at primary is needed no more
	flagRequest = 1 << 4 // write, prewrite: the row of a request too
	flagSettle  = 1 << 5 // resolve, done: the record too is committed, if it is staging
	flagsKnown  = flagRecord | flagCommit | flagStaging | flagDone | flagRequest | flagSettle
)

// op is what a command does to one key.
type op struct {
	key   txn.Key
	value []byte // encoded version
	// bound is that of the intent.
	bound txn.Timestamp
	// evicted needs a row from now on; nil: nothing does.
	evicted *evicted
	// keys and bytes are what it adds to the live keys and bytes of the shard.
	keys, bytes int64
	// Of the leader that evaluates it only: whether it is no delete, and the bytes
	// of the value that it sets.
	grows   bool
	payload int
}

// command is one proposal. Which fields count depends on kind.
type command struct {
	kind     commandKind
	flags    uint8
	proposal uint64 // who waits for it; meaningful on the proposer only
	term     uint64 // of the proposer (R8, R9)
	epoch    uint64

	txn      txn.ID
	baseTS   txn.Timestamp
	ts       txn.Timestamp // c, c_i, or C
	maxTS    txn.Timestamp
	age      txn.Age
	primary  txn.Key // or anchor
	request  txn.Request
	hash     uint64
	from     txn.Mask
	to       txn.Status
	ops      []op
	keys     []txn.Key
	records  []recordName   // collect
	rows     []rowName      // collect
	body     []byte         // meta
	keyspace txn.KeyspaceID // drop
}

// recordName is where a record lies.
type recordName struct {
	primary txn.Key
	txn     txn.ID
}

// rowName is where the row of a request lies.
type rowName struct {
	anchor txn.Key
	id     txn.RequestID
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
	for i := range c.records {
		n += len(c.records[i].primary)
	}
	for i := range c.rows {
		n += len(c.rows[i].anchor)
	}
	return n
}

func appendEntry(dst []byte, commands []*command) []byte {
	size := 0
	for _, c := range commands {
		size += c.size() + commandBytes
	}
	dst = slices.Grow(dst, size)
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
		return fields.AppendBytes(dst, c.body)
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.txn))
	dst = binary.AppendUvarint(dst, uint64(c.ts))
	switch c.kind {
	case cmdWrite:
		dst = appendOps(dst, c.ops)
		if c.flags&flagRequest != 0 {
			dst = appendRequest(dst, &c.request)
			dst = binary.AppendUvarint(dst, uint64(c.baseTS))
			dst = fields.AppendBytes(dst, c.primary)
		}
		return dst
	case cmdPrewrite:
		dst = binary.AppendUvarint(dst, uint64(c.baseTS))
		dst = binary.AppendUvarint(dst, uint64(c.maxTS))
		dst = binary.AppendUvarint(dst, uint64(c.age.At))
		dst = binary.BigEndian.AppendUint64(dst, uint64(c.age.ID))
		dst = binary.BigEndian.AppendUint64(dst, c.hash)
		dst = fields.AppendBytes(dst, c.primary)
		dst = appendOps(dst, c.ops)
		if c.flags&flagStaging != 0 {
			dst = appendKeys(dst, c.keys)
		}
		if c.flags&flagRequest != 0 {
			dst = appendRequest(dst, &c.request)
		}
		return dst
	case cmdResolve:
		dst = appendKeys(dst, c.keys)
		if c.flags&flagDone != 0 {
			dst = fields.AppendBytes(dst, c.primary)
		}
		return dst
	case cmdCollect:
		dst = binary.AppendUvarint(dst, uint64(len(c.records)))
		for i := range c.records {
			dst = fields.AppendBytes(dst, c.records[i].primary)
			dst = binary.BigEndian.AppendUint64(dst, uint64(c.records[i].txn))
		}
		dst = binary.AppendUvarint(dst, uint64(len(c.rows)))
		for i := range c.rows {
			dst = append(fields.AppendBytes(dst, c.rows[i].anchor), c.rows[i].id[:]...)
		}
		return dst
	case cmdForgo:
		return fields.AppendBytes(append(dst, c.request.ID[:]...), c.primary)
	case cmdDrop:
		return binary.AppendUvarint(dst, uint64(c.keyspace))
	default: // cmdDecide
		dst = binary.AppendUvarint(dst, uint64(c.baseTS))
		dst = append(dst, byte(c.from), byte(c.to))
		return fields.AppendBytes(dst, c.primary)
	}
}

func appendRequest(dst []byte, r *txn.Request) []byte {
	return binary.BigEndian.AppendUint64(append(dst, r.ID[:]...), r.Fingerprint)
}

func appendKeys(dst []byte, keys []txn.Key) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(keys)))
	for _, k := range keys {
		dst = fields.AppendBytes(dst, k)
	}
	return dst
}

// Marks of an op.
const (
	opWrote   = 1 << 0 // always: there is a version
	opBound   = 1 << 1
	opEvicted = 1 << 2
)

func appendOps(dst []byte, ops []op) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ops)))
	for i := range ops {
		o := &ops[i]
		dst = fields.AppendBytes(dst, o.key)
		dst = appendMarks(dst, o)
		dst = binary.AppendVarint(dst, o.keys)
		dst = binary.AppendVarint(dst, o.bytes)
		dst = fields.AppendBytes(dst, o.value)
	}
	return dst
}

// appendMarks says what else there is of o, and that.
func appendMarks(dst []byte, o *op) []byte {
	marks := len(dst)
	dst = append(dst, opWrote)
	if o.bound != 0 {
		dst[marks] |= opBound
		dst = binary.AppendUvarint(dst, uint64(o.bound))
	}
	if e := o.evicted; e != nil {
		dst[marks] |= opEvicted
		dst = appendRequest(dst, &txn.Request{ID: e.id, Fingerprint: e.row.Fingerprint})
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.row.Txn))
		dst = binary.AppendUvarint(dst, uint64(e.row.CommitTS))
	}
	return dst
}

// decodeEntry decodes what appendEntry wrote. The commands share b.
func decodeEntry(b []byte) ([]command, error) {
	d := fields.Reader{Rest: b}
	if v := d.U8(); v != entryVersion && !d.Bad {
		return nil, fmt.Errorf("raft entry version %d is unknown to this release", v)
	}
	d.Uvarint() // closedTS
	commands := make([]command, d.Count(commandBytesMin))
	for i := range commands {
		if err := decodeCommand(&d, &commands[i]); err != nil {
			return nil, err
		}
	}
	if d.Bad || len(d.Rest) > 0 {
		return nil, fmt.Errorf("a raft entry of %d bytes does not decode", len(b))
	}
	return commands, nil
}

func decodeCommand(d *fields.Reader, c *command) error {
	c.kind, c.flags = commandKind(d.U8()), d.U8()
	c.proposal, c.term, c.epoch = d.U64(), d.Uvarint(), d.Uvarint()
	if c.flags&^flagsKnown != 0 {
		return fmt.Errorf("command flags %#x are unknown to this release", c.flags)
	}
	if c.kind == cmdMeta {
		c.body = d.Bytes()
		return nil
	}
	c.txn, c.ts = txn.ID(d.U64()), d.UvarintTS()
	switch c.kind {
	case cmdWrite:
		c.ops = decodeOps(d)
		if c.flags&flagRequest != 0 {
			decodeRequest(d, &c.request)
			c.baseTS, c.primary = d.UvarintTS(), d.Bytes()
		}
	case cmdPrewrite:
		c.baseTS, c.maxTS = d.UvarintTS(), d.UvarintTS()
		c.age = txn.Age{At: d.UvarintTS(), ID: txn.ID(d.U64())}
		c.hash, c.primary = d.U64(), d.Bytes()
		c.ops = decodeOps(d)
		if c.flags&flagStaging != 0 {
			c.keys = decodeKeys(d)
		}
		if c.flags&flagRequest != 0 {
			decodeRequest(d, &c.request)
		}
	case cmdResolve:
		c.keys = decodeKeys(d)
		if c.flags&flagDone != 0 {
			c.primary = d.Bytes()
		}
	case cmdCollect:
		c.records = make([]recordName, d.Count(recordNameBytesMin))
		for i := range c.records {
			c.records[i] = recordName{d.Bytes(), txn.ID(d.U64())}
		}
		c.rows = make([]rowName, d.Count(rowNameBytesMin))
		for i := range c.rows {
			c.rows[i].anchor = d.Bytes()
			copy(c.rows[i].id[:], d.Take(txn.RequestIDBytes))
		}
	case cmdDecide:
		c.baseTS = d.UvarintTS()
		c.from, c.to = txn.Mask(d.U8()), txn.Status(d.U8())
		c.primary = d.Bytes()
	case cmdForgo:
		copy(c.request.ID[:], d.Take(txn.RequestIDBytes))
		c.primary = d.Bytes()
	case cmdDrop:
		ks := d.Uvarint()
		c.keyspace = txn.KeyspaceID(ks)
		d.Bad = d.Bad || ks > math.MaxUint32
	default:
		return fmt.Errorf("command kind %d is unknown to this release", c.kind)
	}
	return nil
}

func decodeRequest(d *fields.Reader, r *txn.Request) {
	copy(r.ID[:], d.Take(txn.RequestIDBytes))
	r.Fingerprint = d.U64()
}

func decodeEvicted(d *fields.Reader) *evicted {
	var q txn.Request
	decodeRequest(d, &q)
	return &evicted{q.ID, txn.RequestRow{Status: txn.Committed, Fingerprint: q.Fingerprint,
		Txn: txn.ID(d.U64()), CommitTS: d.UvarintTS()}}
}

func decodeKeys(d *fields.Reader) []txn.Key {
	keys := make([]txn.Key, d.Count(1))
	for i := range keys {
		keys[i] = d.Bytes()
	}
	return keys
}

func decodeOps(d *fields.Reader) []op {
	ops := make([]op, d.Count(1))
	for i := range ops {
		o := &ops[i]
		o.key = d.Bytes()
		marks := d.U8()
		if marks&opWrote == 0 || marks&^(opWrote|opBound|opEvicted) != 0 {
			d.Bad = true
		}
		if marks&opBound != 0 {
			o.bound = d.UvarintTS()
		}
		if marks&opEvicted != 0 {
			o.evicted = decodeEvicted(d)
		}
		o.keys, o.bytes, o.value = d.Varint(), d.Varint(), d.Bytes()
	}
	return ops
}
