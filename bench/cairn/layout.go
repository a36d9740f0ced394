package cairn

// ShardsMax bounds Options.Shards.
const ShardsMax = 16

const (
	shardsDefault = 4
	// defaultLetters lie on the four shards of the default splits: ":", "h" and "p".
	defaultLetters = "0amz"
	letters        = "abcdefghijklmnop"
	// KeyBytes is how long every key is: a letter for its shard, one for its table, a number.
	KeyBytes = 16
)

// layout is how numbered keys lie on shards: the first letter decides.
type layout string

func newLayout(shards int) layout {
	if shards == shardsDefault {
		return defaultLetters
	}
	return layout(letters[:shards])
}

// splits are those that make the shards; none: the default ones.
func (l layout) splits() []string {
	switch {
	case l == defaultLetters:
		return nil
	case len(l) == 1:
		return []string{"~"} // behind all keys: none would mean the default ones
	}
	var all []string
	for _, letter := range l[1:] {
		all = append(all, string(letter))
	}
	return all
}

// table is what a key is of.
type table byte

// The tables. Those of new-order have the names of TPC-C's.
const (
	plainKeys  table = 'k'
	accounts   table = 'a'
	imported   table = 'm'
	counters   table = 'n'
	warehouses table = 'w'
	districts  table = 'd'
	customers  table = 'c'
	items      table = 'i'
	stocks     table = 's'
	orders     table = 'o'
	newOrders  table = 'q'
	orderLines table = 'l'
)

// spread puts neighbours on different shards.
func (l layout) spread(t table, n int) string { return l.on(n, t, n) }

// on is the key of a number on a shard: any number, modulo shards. Keys of a table and a shard
// have the order of their numbers.
func (l layout) on(shard int, t table, n int) string {
	var key [KeyBytes]byte
	key[0], key[1] = l[shard%len(l)], byte(t)
	for i := KeyBytes - 1; i > 1; i-- {
		key[i] = '0' + byte(n%10)
		n /= 10
	}
	return string(key[:])
}

// end is behind all keys of a table on a shard.
func (l layout) end(shard int, t table) string {
	return string([]byte{l[shard%len(l)], byte(t), ':'})
}
