package shardrpc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

// Append implements Message.
func (m *KeyspacesRequest) Append(dst []byte) []byte {
	return binary.AppendUvarint(appendTarget(dst, m.Target), m.Known)
}

func (m *KeyspacesRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Known = d.uvarint()
}

const keyspacesSame = 1 << 0

// Append implements Message.
func (m *KeyspacesResponse) Append(dst []byte) []byte {
	dst = append(dst, byte(m.Answer), flag(m.Same, keyspacesSame))
	return appendList(binary.AppendUvarint(dst, m.Changes), m.Keyspaces, appendKeyspace)
}

func (m *KeyspacesResponse) decode(d *decoder) {
	m.Answer = enum(d, Gone)
	m.Same = d.flags(keyspacesSame) != 0
	m.Changes = d.uvarint()
	m.Keyspaces = list(d, keyspaceBytesMin, (*decoder).keyspace)
}

// keyspaceBytesMin is what the smallest one takes.
const keyspaceBytesMin = 1 + 4 + 1 + 5 + 1 + 8 + 1

const keyspaceDeleting = 1 << 0

func appendKeyspace(dst []byte, k *txn.Keyspace) []byte {
	dst = append(dst, flag(k.Deleting, keyspaceDeleting))
	dst = appendBytes(binary.BigEndian.AppendUint32(dst, uint32(k.ID)), k.Name)
	dst = appendKeyspaceOptions(dst, &k.KeyspaceOptions)
	dst = appendTS(binary.AppendUvarint(dst, k.Version), k.CreatedAt)
	return binary.AppendVarint(dst, k.FullBytes)
}

func (d *decoder) keyspace(k *txn.Keyspace) {
	k.Deleting = d.flags(keyspaceDeleting) != 0
	k.ID, k.Name = txn.KeyspaceID(d.u32()), d.string()
	d.keyspaceOptions(&k.KeyspaceOptions)
	k.Version, k.CreatedAt, k.FullBytes = d.uvarint(), d.ts(), d.varint()
}

func appendKeyspaceOptions(dst []byte, o *txn.KeyspaceOptions) []byte {
	dst = binary.AppendVarint(dst, o.HistoryAge)
	dst = binary.AppendVarint(dst, o.HistoryCount)
	dst = binary.AppendVarint(dst, o.DefaultTTL)
	dst = binary.AppendVarint(dst, o.ValueBytesMax)
	return binary.AppendVarint(dst, o.BytesMax)
}

func (d *decoder) keyspaceOptions(o *txn.KeyspaceOptions) {
	o.HistoryAge, o.HistoryCount, o.DefaultTTL = d.varint(), d.varint(), d.varint()
	o.ValueBytesMax, o.BytesMax = d.varint(), d.varint()
}

// Append implements Message.
func (m *ChangeKeyspaceRequest) Append(dst []byte) []byte {
	c := &m.Change
	dst = append(appendTarget(dst, m.Target), byte(c.Verb), byte(c.Set))
	dst = binary.BigEndian.AppendUint32(appendBytes(dst, c.Name), uint32(c.ID))
	dst = appendTS(appendKeyspaceOptions(dst, &c.Options), c.At)
	return binary.AppendVarint(dst, c.Bytes)
}

func (m *ChangeKeyspaceRequest) decode(d *decoder) {
	d.target(&m.Target)
	c := &m.Change
	c.Verb, c.Set = enum(d, txn.FillKeyspace), enum(d, txn.SetAllOptions)
	c.Name, c.ID = d.string(), txn.KeyspaceID(d.u32())
	d.keyspaceOptions(&c.Options)
	c.At, c.Bytes = d.ts(), d.varint()
}

// Flags of a ChangeKeyspaceResponse.
const (
	changeChanged = 1 << iota
	changeKeyspace
	changeError
	changeFlags = 1<<iota - 1
)

// Append implements Message.
func (m *ChangeKeyspaceResponse) Append(dst []byte) []byte {
	dst = append(dst, byte(m.Answer), flag(m.Changed, changeChanged)|
		flag(m.Keyspace != nil, changeKeyspace)|flag(m.Err != nil, changeError))
	if m.Keyspace != nil {
		dst = appendKeyspace(dst, m.Keyspace)
	}
	if m.Err != nil {
		dst = appendError(dst, m.Err)
	}
	return dst
}

func (m *ChangeKeyspaceResponse) decode(d *decoder) {
	m.Answer = enum(d, Gone)
	f := d.flags(changeFlags)
	m.Changed = f&changeChanged != 0
	if f&changeKeyspace != 0 {
		m.Keyspace = new(txn.Keyspace)
		d.keyspace(m.Keyspace)
	}
	if f&changeError != 0 {
		m.Err = new(txn.Error)
		d.error(m.Err)
	}
}

// Append implements Message.
func (m *DropRequest) Append(dst []byte) []byte {
	dst = append(appendTarget(dst, m.Target), byte(m.Step))
	dst = appendTS(binary.BigEndian.AppendUint32(dst, uint32(m.Keyspace)), m.At)
	return appendBytes(dst, m.From)
}

func (m *DropRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Step = enum(d, DropErase)
	m.Keyspace, m.At, m.From = txn.KeyspaceID(d.u32()), d.ts(), d.bytes()
}

// Append implements Message.
func (m *DropResponse) Append(dst []byte) []byte {
	dst = appendList(append(dst, byte(m.Answer)), m.Blocked, appendBlocker)
	return appendBytes(dst, m.Next)
}

func (m *DropResponse) decode(d *decoder) {
	m.Answer = enum(d, Gone)
	m.Blocked, m.Next = list(d, blockerBytesMin, (*decoder).blocker), d.bytes()
}

// Append implements Message.
func (m *UsageRequest) Append(dst []byte) []byte { return appendTarget(dst, m.Target) }

func (m *UsageRequest) decode(d *decoder) { d.target(&m.Target) }

// Append implements Message.
func (m *UsageResponse) Append(dst []byte) []byte {
	return appendList(append(dst, byte(m.Answer)), m.Usage, appendUsage)
}

func (m *UsageResponse) decode(d *decoder) {
	m.Answer = enum(d, Gone)
	m.Usage = list(d, usageBytesMin, (*decoder).usage)
}

const usageBytesMin = 4 + 4

func appendUsage(dst []byte, u *KeyspaceUsage) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(u.ID))
	dst = binary.AppendVarint(binary.AppendVarint(dst, u.Keys), u.LiveBytes)
	return binary.AppendVarint(binary.AppendVarint(dst, u.Versions), u.Bytes)
}

func (d *decoder) usage(u *KeyspaceUsage) {
	u.ID = txn.KeyspaceID(d.u32())
	u.Keys, u.LiveBytes, u.Versions, u.Bytes = d.varint(), d.varint(), d.varint(), d.varint()
}
