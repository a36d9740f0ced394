package gateway

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

const (
	handleVersion = 1
	// handleNameBytes is the version, the transaction id, and a random number that nobody guesses.
	handleNameBytes = 1 + 8 + 16
)

// handle is what clients name an open transaction by. Its name stays; its anchor, the first key
// that the transaction wrote, is where its outcome can be asked for by those that do not hold it.
type handle struct {
	name   string
	anchor txn.Key // nil: nothing was written when the handle was answered
}

func newHandle(id txn.ID, random [2]uint64) handle {
	b := binary.BigEndian.AppendUint64([]byte{handleVersion}, uint64(id))
	b = binary.BigEndian.AppendUint64(b, random[0])
	return handle{name: string(binary.BigEndian.AppendUint64(b, random[1]))}
}

// parseHandle reports false for what no gateway has answered.
func parseHandle(s string) (handle, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < handleNameBytes || b[0] != handleVersion {
		return handle{}, false
	}
	h := handle{name: string(b[:handleNameBytes])}
	if len(b) > handleNameBytes {
		h.anchor = b[handleNameBytes:]
	}
	return h, true
}

func (h handle) String() string {
	return base64.RawURLEncoding.EncodeToString(append([]byte(h.name), h.anchor...))
}

// id is the transaction's, which has the session of its gateway in it.
func (h handle) id() txn.ID { return txn.ID(binary.BigEndian.Uint64([]byte(h.name[1:]))) }
