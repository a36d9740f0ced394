package shardrpc

import "encoding/binary"

// Append implements Message.
func (m *TimestampRequest) Append(dst []byte) []byte {
	return binary.AppendVarint(dst, int64(m.N))
}

func (m *TimestampRequest) decode(d *decoder) { m.N = d.int() }

// Append implements Message.
func (m *TimestampResponse) Append(dst []byte) []byte { return appendTS(dst, m.First) }

func (m *TimestampResponse) decode(d *decoder) { m.First = d.ts() }

// Append implements Message: there is nothing to say.
func (m *RoutesRequest) Append(dst []byte) []byte { return dst }

func (m *RoutesRequest) decode(*decoder) {}

// Append implements Message.
func (m *RoutesResponse) Append(dst []byte) []byte {
	return appendList(appendList(dst, m.Routes, appendRoute), m.Members, appendMemberID)
}

func (m *RoutesResponse) decode(d *decoder) {
	m.Routes = list(d, routeBytesMin, (*decoder).route)
	m.Members = list(d, memberIDBytesMin, (*decoder).memberID)
}

const memberIDBytesMin = 2

func appendMemberID(dst []byte, m *Member) []byte {
	return appendBytes(binary.AppendUvarint(dst, m.ID), m.Address)
}

func (d *decoder) memberID(m *Member) { m.ID, m.Address = d.uvarint(), d.string() }

// Append implements Message: there is nothing to say.
func (m *StatusRequest) Append(dst []byte) []byte { return dst }

func (m *StatusRequest) decode(*decoder) {}

// Append implements Message.
func (m *StatusResponse) Append(dst []byte) []byte {
	return appendList(dst, m.Members, appendMember)
}

func (m *StatusResponse) decode(d *decoder) {
	m.Members = list(d, memberBytesMin, (*decoder).member)
}

const (
	sessionSole = 1 << iota
	sessionLeased
	sessionFlags = 1<<iota - 1
)

// Append implements Message.
func (m *SessionRequest) Append(dst []byte) []byte {
	dst = appendTarget(dst, m.Target)
	dst = append(dst, flag(m.Sole, sessionSole)|flag(m.Leased, sessionLeased))
	return appendBytes(dst, m.Address)
}

func (m *SessionRequest) decode(d *decoder) {
	d.target(&m.Target)
	f := d.flags(sessionFlags)
	m.Sole, m.Leased = f&sessionSole != 0, f&sessionLeased != 0
	m.Address = d.string()
}

// Append implements Message.
func (m *SessionResponse) Append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(append(dst, byte(m.Answer)), m.Session)
}

func (m *SessionResponse) decode(d *decoder) {
	m.Answer, m.Session = enum(d, Gone), d.u32()
}

// Append implements Message.
func (m *RenewRequest) Append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(appendTarget(dst, m.Target), m.Session)
}

func (m *RenewRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Session = d.u32()
}

// Append implements Message.
func (m *RenewResponse) Append(dst []byte) []byte { return append(dst, byte(m.Answer)) }

func (m *RenewResponse) decode(d *decoder) { m.Answer = enum(d, Gone) }

// Append implements Message.
func (m *FindSessionRequest) Append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(appendTarget(dst, m.Target), m.Session)
}

func (m *FindSessionRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Session = d.u32()
}

// Append implements Message.
func (m *FindSessionResponse) Append(dst []byte) []byte {
	return appendBytes(append(dst, byte(m.Answer)), m.Address)
}

func (m *FindSessionResponse) decode(d *decoder) {
	m.Answer, m.Address = enum(d, Gone), d.string()
}

const routeBytesMin = 4

func appendRoute(dst []byte, r *Route) []byte {
	dst = binary.AppendUvarint(dst, uint64(r.Shard))
	dst = binary.AppendUvarint(dst, r.Epoch)
	return appendSpan(dst, &r.Span)
}

func (d *decoder) route(r *Route) {
	r.Shard, r.Epoch = ShardID(d.uvarint()), d.uvarint()
	d.span(&r.Span)
}

const memberBytesMin = 9

func appendMember(dst []byte, m *MemberStatus) []byte {
	dst = appendBytes(dst, m.ClusterID)
	dst = binary.AppendUvarint(dst, m.MemberID)
	dst = appendBytes(appendBytes(dst, m.Address), m.Down)
	dst = appendBytes(dst, m.DataDir)
	dst = binary.AppendUvarint(dst, m.DiskFree)
	dst = binary.AppendUvarint(dst, m.DiskTotal)
	dst = binary.AppendUvarint(dst, m.DiskUsed)
	return appendList(dst, m.Shards, appendShard)
}

func (d *decoder) member(m *MemberStatus) {
	m.ClusterID, m.MemberID = d.string(), d.uvarint()
	m.Address, m.Down, m.DataDir = d.string(), d.string(), d.string()
	m.DiskFree, m.DiskTotal, m.DiskUsed = d.uvarint(), d.uvarint(), d.uvarint()
	m.Shards = list(d, shardBytesMin, (*decoder).shard)
}

const shardBytesMin = routeBytesMin + 13

const (
	shardLeader = 1 << iota
	shardServing
	shardFlags = shardLeader | shardServing
)

func appendShard(dst []byte, s *ShardStatus) []byte {
	dst = appendRoute(dst, &s.Route)
	dst = append(dst, flag(s.Leader, shardLeader)|flag(s.Serving, shardServing))
	dst = binary.AppendUvarint(dst, s.LeaderID)
	dst = appendList(dst, s.Voters, appendNumber)
	dst = appendList(dst, s.Learners, appendNumber)
	dst = binary.AppendUvarint(dst, s.Term)
	dst = binary.AppendUvarint(dst, s.AppliedIndex)
	dst = binary.AppendUvarint(dst, s.LastIndex)
	dst = binary.AppendUvarint(dst, s.FirstIndex)
	dst = binary.AppendVarint(dst, s.Keys)
	dst = binary.AppendVarint(dst, s.Bytes)
	dst = binary.AppendVarint(dst, s.Collected)
	dst = binary.AppendVarint(dst, int64(s.Intents))
	dst = binary.AppendVarint(dst, int64(s.Locks))
	return binary.AppendVarint(dst, int64(s.LockWaits))
}

func (d *decoder) shard(s *ShardStatus) {
	d.route(&s.Route)
	f := d.flags(shardFlags)
	s.Leader, s.Serving = f&shardLeader != 0, f&shardServing != 0
	s.LeaderID = d.uvarint()
	s.Voters, s.Learners = list(d, 1, (*decoder).number), list(d, 1, (*decoder).number)
	s.Term, s.AppliedIndex = d.uvarint(), d.uvarint()
	s.LastIndex, s.FirstIndex = d.uvarint(), d.uvarint()
	s.Keys, s.Bytes, s.Collected, s.Intents = d.varint(), d.varint(), d.varint(), d.int()
	s.Locks, s.LockWaits = d.int(), d.int()
}

func appendNumber(dst []byte, n *uint64) []byte { return binary.AppendUvarint(dst, *n) }

func (d *decoder) number(n *uint64) { *n = d.uvarint() }
