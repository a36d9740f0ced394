package shardrpc

import "github.com/cairnkv/cairn/txn"

// EphemeralRequest carries out operations on ephemeral keys, one after the other, each by
// itself. It is not sent twice: another copy that writes would do so once more.
type EphemeralRequest struct {
	Target
	Ops []txn.Op // of one key each
}

// EphemeralResponse carries, with OK, a result for each operation, or fewer and the reason
// why the next one was not carried out. Retry and Moved prove here that nothing was done. After
// Gone what was done is lost, and others may have seen it before.
type EphemeralResponse struct {
	Answer  Answer
	At      txn.Timestamp // of the last operation
	Results []txn.Result
	Err     *txn.Error
}

const ephemeralError = 1 << 0

// Append implements Message.
func (m *EphemeralRequest) Append(dst []byte) []byte {
	return appendList(appendTarget(dst, m.Target), m.Ops, appendOp)
}

func (m *EphemeralRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Ops = list(d, opBytesMin, (*decoder).op)
}

// Append implements Message.
func (m *EphemeralResponse) Append(dst []byte) []byte {
	dst = append(dst, byte(m.Answer), flag(m.Err != nil, ephemeralError))
	dst = appendList(appendTS(dst, m.At), m.Results, appendResult)
	if m.Err != nil {
		dst = appendError(dst, m.Err)
	}
	return dst
}

func (m *EphemeralResponse) decode(d *decoder) {
	m.Answer = enum(d, Gone)
	f := d.flags(ephemeralError)
	m.At, m.Results = d.ts(), list(d, resultBytesMin, (*decoder).result)
	if f&ephemeralError != 0 {
		m.Err = new(txn.Error)
		d.error(m.Err)
	}
}
