package mvcc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

func appendTimestamp(dst []byte, t txn.Timestamp) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t))
}
