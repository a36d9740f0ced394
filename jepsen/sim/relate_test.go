package sim

import (
	"cmp"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/cairnkv/cairn/txn"
)

// TestRelate: both spellings of what a comparison means agree.
func TestRelate(t *testing.T) {
	numbers := []float64{0, math.Copysign(0, -1), 1, -1.5, 1 << 53, 1 << 63, -1 << 63, math.Inf(1), math.NaN()}
	value := rapid.Custom(func(t *rapid.T) txn.Value {
		i := rapid.OneOf(rapid.SampledFrom([]int64{0, 1, -1, 1<<53 + 1, math.MaxInt64, math.MinInt64}),
			rapid.Int64()).Draw(t, "int")
		text := []byte(rapid.SampledFrom([]string{"", "a", "b", "ab", "1"}).Draw(t, "text"))
		return rapid.SampledFrom([]txn.Value{txn.IntValue(i), txn.FloatValue(float64(i)),
			txn.FloatValue(rapid.SampledFrom(numbers).Draw(t, "float")), txn.BytesValue(text),
			txn.StringValue(string(text)), txn.JSONValue(text), txn.BoolValue(i > 0), txn.NullValue(),
		}).Draw(t, "value")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := value.Draw(t, "a"), value.Draw(t, "b")
		order, ordered := a.Compare(b)
		for is := txn.Equal; is <= txn.GreaterOrEqual; is++ {
			want := accepts(is, relateValues(&a, &b))
			if got := is.Holds(order, ordered); got != want {
				t.Fatalf("%v %v and %v %v, relation %d: %v, in the model %v", a.Type, a.Data, b.Type, b.Data,
					is, got, want)
			}
			n, m := rapid.Int64().Draw(t, "n"), rapid.Int64().Draw(t, "m")
			if is.Holds(cmp.Compare(n, m), true) != accepts(is, relate(n, m)) {
				t.Fatalf("%d and %d, relation %d", n, m, is)
			}
		}
	})
}
