package shard

import (
	"cmp"
	"slices"
)

// sizeStep is how exactly the size of a log is known, in bytes.
const sizeStep = 256 << 10

// logSize is how large a log is, of what this process appended to it. Entries
// differ in size by four orders of magnitude, so their number says nothing.
type logSize struct {
	appended, truncated int64
	marks               []sizeMark // ascending, a sizeStep apart
}

// sizeMark is how much had been appended with an entry.
type sizeMark struct {
	index    uint64
	appended int64
}

func (s *logSize) bytes() int64 { return s.appended - s.truncated }

// append adds an entry, which replaces those from its index on.
func (s *logSize) append(index uint64, size int) {
	n := len(s.marks)
	for n > 0 && s.marks[n-1].index >= index {
		n--
	}
	s.marks = s.marks[:n]
	s.appended += int64(size)
	last := s.truncated
	if n > 0 {
		last = s.marks[n-1].appended
	}
	if s.appended-last >= sizeStep {
		s.marks = append(s.marks, sizeMark{index, s.appended})
	}
}

// truncate removes the entries up to index.
func (s *logSize) truncate(index uint64) {
	n, found := slices.BinarySearchFunc(s.marks, index, func(m sizeMark, index uint64) int {
		return cmp.Compare(m.index, index)
	})
	if found {
		n++
	}
	if n > 0 {
		s.truncated = s.marks[n-1].appended
		s.marks = slices.Delete(s.marks, 0, n)
	}
}

// reset is for a log that is empty.
func (s *logSize) reset() { *s = logSize{} }
