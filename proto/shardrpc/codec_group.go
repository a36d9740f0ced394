package shardrpc

import "encoding/binary"

// Append implements Message.
func (m *TransferRequest) Append(dst []byte) []byte {
	return binary.AppendUvarint(appendTarget(dst, m.Target), m.To)
}

func (m *TransferRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.To = d.uvarint()
}

// Append implements Message.
func (m *TransferResponse) Append(dst []byte) []byte { return append(dst, byte(m.Answer)) }

func (m *TransferResponse) decode(d *decoder) { m.Answer = enum(d, Gone) }

func appendText[T ~[]byte | ~string](dst []byte, s *T) []byte { return appendBytes(dst, *s) }

func (d *decoder) text(s *string) { *s = d.string() }
func (d *decoder) blob(b *[]byte) { *b = d.bytes() }

// Append implements Message.
func (m *FoundRequest) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, m.ID)
	dst = binary.BigEndian.AppendUint64(dst, m.Nonce)
	dst = appendList(dst, m.Founders, appendText)
	return appendList(dst, m.Splits, appendText)
}

func (m *FoundRequest) decode(d *decoder) {
	m.ID, m.Nonce = d.uvarint(), d.u64()
	m.Founders, m.Splits = list(d, 1, (*decoder).text), list(d, 1, (*decoder).blob)
}

const foundFormed = 1 << 0

// Append implements Message.
func (m *FoundResponse) Append(dst []byte) []byte {
	dst = appendBytes(append(dst, flag(m.Formed, foundFormed)), m.ClusterID)
	dst = appendList(dst, m.Splits, appendText)
	return appendList(dst, m.Nonces, appendNumber)
}

func (m *FoundResponse) decode(d *decoder) {
	m.Formed = d.flags(foundFormed)&foundFormed != 0
	m.ClusterID = d.string()
	m.Splits, m.Nonces = list(d, 1, (*decoder).blob), list(d, 1, (*decoder).number)
}

// Append implements Message.
func (m *ReplaceRequest) Append(dst []byte) []byte {
	dst = appendTarget(dst, m.Target)
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, m.Old), m.New)
	return appendBytes(binary.BigEndian.AppendUint64(dst, m.Nonce), m.Address)
}

func (m *ReplaceRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Old, m.New, m.Nonce, m.Address = d.uvarint(), d.uvarint(), d.u64(), d.string()
}

// Append implements Message.
func (m *ReplaceResponse) Append(dst []byte) []byte {
	dst = appendBytes(m.Reply.Append(dst), m.ClusterID)
	return appendList(appendList(dst, m.Routes, appendRoute), m.Members, appendMemberID)
}

func (m *ReplaceResponse) decode(d *decoder) {
	m.Reply.decode(d)
	m.ClusterID = d.string()
	m.Routes = list(d, routeBytesMin, (*decoder).route)
	m.Members = list(d, memberIDBytesMin, (*decoder).memberID)
}

const snapshotLast = 1 << 0

// Append implements Message.
func (m *SnapshotRequest) Append(dst []byte) []byte {
	dst = append(dst, flag(m.Last, snapshotLast))
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(m.Shard)), m.From)
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, m.Stream), m.Part)
	return appendBytes(appendBytes(dst, m.Header), m.Data)
}

func (m *SnapshotRequest) decode(d *decoder) {
	m.Last = d.flags(snapshotLast)&snapshotLast != 0
	m.Shard, m.From = ShardID(d.uvarint()), d.uvarint()
	m.Stream, m.Part = d.uvarint(), d.uvarint()
	m.Header, m.Data = d.bytes(), d.bytes()
}

// Append implements Message: there is nothing to say.
func (m *SnapshotResponse) Append(dst []byte) []byte { return dst }

func (m *SnapshotResponse) decode(*decoder) {}
