package client

import (
	"errors"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// Condition is a tree of tests over the current state of keys. The zero
// Condition holds.
type Condition struct {
	wire func(keyspace string) (*cairnv1.Condition, error)
}

// In is c in another keyspace than the program's; empty = "default".
func (c Condition) In(keyspace string) Condition {
	if wire := c.wire; wire != nil {
		c.wire = func(string) (*cairnv1.Condition, error) { return wire(keyspace) }
	}
	return c
}

// Is says how the key's side must relate to the other side.
type Is cairnv1.CompareOp

// The comparisons. What has no order, such as values of different types, is
// neither less nor greater, and not equal.
const (
	Equal          = Is(cairnv1.CompareOp_COMPARE_OP_EQUAL)
	NotEqual       = Is(cairnv1.CompareOp_COMPARE_OP_NOT_EQUAL)
	Less           = Is(cairnv1.CompareOp_COMPARE_OP_LESS)
	LessOrEqual    = Is(cairnv1.CompareOp_COMPARE_OP_LESS_OR_EQUAL)
	Greater        = Is(cairnv1.CompareOp_COMPARE_OP_GREATER)
	GreaterOrEqual = Is(cairnv1.CompareOp_COMPARE_OP_GREATER_OR_EQUAL)
)

func compare(key string, is Is, target func(*cairnv1.Compare) error) Condition {
	return Condition{wire: func(keyspace string) (*cairnv1.Condition, error) {
		c := &cairnv1.Compare{Keyspace: keyspace, Key: []byte(key), Op: cairnv1.CompareOp(is)}
		if err := target(c); err != nil {
			return nil, err
		}
		return &cairnv1.Condition{Test: &cairnv1.Condition_Compare{Compare: c}}, nil
	}}
}

// KeyExists holds if the key exists.
func KeyExists(key string) Condition {
	return compare(key, Equal, func(c *cairnv1.Compare) error {
		c.Target = &cairnv1.Compare_Exists{Exists: true}
		return nil
	})
}

// KeyMissing holds if the key does not exist.
func KeyMissing(key string) Condition { return Not(KeyExists(key)) }

// ValueIs compares the key's value: numbers by what they are, ints with floats
// too; bytes and strings by their bytes; false before true. JSON and null know
// Equal and NotEqual only. NaN equals nothing. Of a missing key only NotEqual
// holds.
func ValueIs(key string, is Is, v Value) Condition {
	return compare(key, is, func(c *cairnv1.Compare) error {
		value, err := valueToWire(v)
		c.Target = &cairnv1.Compare_Value{Value: value}
		return err
	})
}

// RevisionIs compares the key's revision, -1 = missing.
func RevisionIs(key string, is Is, revision int64) Condition {
	return compare(key, is, func(c *cairnv1.Compare) error {
		c.Target = &cairnv1.Compare_Revision{Revision: revision}
		return nil
	})
}

// CommitTSIs compares when the key's version was committed, 0 = missing.
func CommitTSIs(key string, is Is, at Timestamp) Condition {
	return compare(key, is, func(c *cairnv1.Compare) error {
		c.Target = &cairnv1.Compare_CommitTs{CommitTs: int64(at)}
		return nil
	})
}

// CreateTSIs compares when the key was created, 0 = missing.
func CreateTSIs(key string, is Is, at Timestamp) Condition {
	return compare(key, is, func(c *cairnv1.Compare) error {
		c.Target = &cairnv1.Compare_CreateTs{CreateTs: int64(at)}
		return nil
	})
}

// CountIs compares how many keys r selects with n, which is at most 10,000. No
// more of them are looked at than it takes to know the answer. Of r nothing
// matters but what it selects, and that cannot be a bucket or have a Glob.
func CountIs(r Range, is Is, n int64) Condition {
	return ranged(r, func(keyspace string) *cairnv1.Condition {
		return &cairnv1.Condition{Test: &cairnv1.Condition_Count{Count: &cairnv1.CompareCount{
			Keyspace: keyspace, Select: r.selection(), Op: cairnv1.CompareOp(is), N: n,
		}}}
	})
}

// UnchangedSince holds if what r selects is as it was at a time of the past,
// such as CommitTS of an answer: nothing of it was set, deleted or extended
// later, and nothing has expired. It looks at all that r selects, which cannot
// be a bucket or have a Glob.
func UnchangedSince(r Range, at Timestamp) Condition {
	return ranged(r, func(keyspace string) *cairnv1.Condition {
		return &cairnv1.Condition{Test: &cairnv1.Condition_Unchanged{Unchanged: &cairnv1.Unchanged{
			Keyspace: keyspace, Select: r.selection(), Since: int64(at),
		}}}
	})
}

func ranged(r Range, wire func(keyspace string) *cairnv1.Condition) Condition {
	return Condition{wire: func(keyspace string) (*cairnv1.Condition, error) {
		if r.AsOf != 0 {
			return nil, invalid("past_in_transaction", errors.New("a condition is about the present"))
		}
		return wire(keyspace), nil
	}}
}

// AllOf holds if all of cs do.
func AllOf(cs ...Condition) Condition {
	return Condition{wire: func(keyspace string) (*cairnv1.Condition, error) {
		list, err := listToWire(cs, keyspace)
		return &cairnv1.Condition{Test: &cairnv1.Condition_All{All: list}}, err
	}}
}

// AnyOf holds if one of cs does.
func AnyOf(cs ...Condition) Condition {
	return Condition{wire: func(keyspace string) (*cairnv1.Condition, error) {
		list, err := listToWire(cs, keyspace)
		return &cairnv1.Condition{Test: &cairnv1.Condition_Any{Any: list}}, err
	}}
}

// Not holds if c does not.
func Not(c Condition) Condition {
	return Condition{wire: func(keyspace string) (*cairnv1.Condition, error) {
		w, err := c.toWire(keyspace)
		return &cairnv1.Condition{Test: &cairnv1.Condition_Not{Not: w}}, err
	}}
}

func listToWire(cs []Condition, keyspace string) (*cairnv1.ConditionList, error) {
	list := &cairnv1.ConditionList{}
	for i := range cs {
		w, err := cs[i].toWire(keyspace)
		if err != nil {
			return nil, err
		}
		list.Conditions = append(list.Conditions, w)
	}
	return list, nil
}

// toWire is c for a keyspace; the zero Condition is an empty list, which holds.
func (c *Condition) toWire(keyspace string) (*cairnv1.Condition, error) {
	if c.wire == nil {
		return &cairnv1.Condition{
			Test: &cairnv1.Condition_All{All: &cairnv1.ConditionList{}},
		}, nil
	}
	return c.wire(keyspace)
}
