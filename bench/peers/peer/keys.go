package peer

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// valueMin is the shortest value: it holds the number of an account.
const valueMin = 8

// Pair is a key with its value.
type Pair struct {
	Key   string
	Value []byte
}

// kind says what is in a key.
type kind string

const (
	values   kind = "key"
	accounts kind = "acc"
)

// key is of 16 bytes; keys are in the order of their numbers.
func (k kind) key(n int) string { return fmt.Sprintf("%s-%012d", string(k), n) }

// pairs are the keys from, up to, not including, end, as they are before a run.
func (k kind) pairs(from, end, length int) []Pair {
	random := rand.New(rand.NewPCG(uint64(from), uint64(end)))
	all := make([]Pair, 0, end-from)
	for n := from; n < end; n++ {
		value := make([]byte, length)
		for i := range value {
			value[i] = byte(random.Uint32())
		}
		if k == accounts {
			binary.BigEndian.PutUint64(value, 0)
		}
		all = append(all, Pair{Key: k.key(n), Value: value})
	}
	return all
}

// Add gives the value of an account that has amount more than in old, at the same length.
func Add(old []byte, amount int64) ([]byte, error) {
	if len(old) < valueMin {
		return nil, fmt.Errorf("an account of %d bytes, at least %d", len(old), valueMin)
	}
	value := append([]byte(nil), old...)
	binary.BigEndian.PutUint64(value, uint64(Balance(old)+amount))
	return value, nil
}

// Balance is what is in an account.
func Balance(value []byte) int64 { return int64(binary.BigEndian.Uint64(value)) }
