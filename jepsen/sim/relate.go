package sim

import (
	"math"
	"math/big"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

// What comparisons mean, spelled out a second time like the rest of the model.
// Two sides are "<", "=" or ">", or have no order.
const noOrder = "?"

// accepts reports whether a relation holds between sides that relate in that way.
func accepts(is txn.Relation, sides string) bool {
	return strings.Contains([...]string{
		txn.Equal: "=", txn.NotEqual: "<>?", txn.Less: "<", txn.LessOrEqual: "<=",
		txn.Greater: ">", txn.GreaterOrEqual: ">=",
	}[is], sides)
}

func relate(a, b int64) string {
	switch {
	case a < b:
		return "<"
	case a > b:
		return ">"
	}
	return "="
}

func relateValues(a, b *txn.Value) string {
	text := func(v *txn.Value) bool { return v.Type == txn.Bytes || v.Type == txn.String }
	number := func(v *txn.Value) bool { return v.Type == txn.Int || v.Type == txn.Float }
	switch {
	case number(a) && number(b):
		if isNaN(a) || isNaN(b) {
			return noOrder
		}
		return relate(int64(exact(a).Cmp(exact(b))), 0)
	case text(a) && text(b), a.Type == txn.Bool && b.Type == txn.Bool:
		return relate(int64(strings.Compare(string(a.Data), string(b.Data))), 0)
	case a.Type == b.Type && string(a.Data) == string(b.Data):
		return "="
	}
	return noOrder
}

func isNaN(v *txn.Value) bool { return v.Type == txn.Float && math.IsNaN(v.Float()) }

// exact is a number with all its digits.
func exact(v *txn.Value) *big.Float {
	if v.Type == txn.Int {
		return new(big.Float).SetInt64(v.Int())
	}
	return new(big.Float).SetFloat64(v.Float())
}
