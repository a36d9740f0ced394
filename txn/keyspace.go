package txn

import "fmt"

// Limits of keyspaces.
const (
	KeyspacesMax         = 10_000
	KeyspaceNameBytesMax = 64
	HistoryAgeMin        = int64(600_000) // ms, and the default
	HistoryCountDefault  = 16
	HistoryCountMax      = 1_000_000
	// KeyspaceMillisMax keeps what is added to a timestamp among the timestamps.
	KeyspaceMillisMax = int64(MaxTimestamp) / 1000 / 2
)

// DefaultKeyspaceName is the name of DefaultKeyspace.
const DefaultKeyspaceName = "default"

// Reasons of errors about keyspaces; stable, shown to users.
const (
	ReasonKeyspaceNotFound = "keyspace_not_found"
	ReasonKeyspaceFull     = "keyspace_full"
	ReasonValueTooLarge    = "value_too_large"
)

// KeyspaceOptions are what a user chooses for a keyspace.
type KeyspaceOptions struct {
	HistoryAge    int64 `codec:"history_age"` // ms
	HistoryCount  int64 `codec:"history_count"`
	DefaultTTL    int64 `codec:"default_ttl"` // ms; 0: none
	ValueBytesMax int64 `codec:"value_bytes_max"`
	BytesMax      int64 `codec:"bytes_max"` // 0: no limit
}

// WithDefaults is o with its zeros replaced.
func (o KeyspaceOptions) WithDefaults() KeyspaceOptions {
	if o.HistoryAge == 0 {
		o.HistoryAge = HistoryAgeMin
	}
	if o.HistoryCount == 0 {
		o.HistoryCount = HistoryCountDefault
	}
	if o.ValueBytesMax == 0 {
		o.ValueBytesMax = ValueBytesMax
	}
	return o
}

// Check says what is wrong with options that have their defaults.
func (o *KeyspaceOptions) Check() error {
	for _, f := range []struct {
		name          string
		v, low, above int64
	}{
		{"history_age_ms", o.HistoryAge, HistoryAgeMin, KeyspaceMillisMax},
		{"history_count", o.HistoryCount, 1, HistoryCountMax},
		{"default_ttl_ms", o.DefaultTTL, 0, KeyspaceMillisMax},
		{"value_bytes_max", o.ValueBytesMax, 1, ValueBytesMax},
		{"bytes_max", o.BytesMax, 0, 1<<63 - 1},
	} {
		if f.v < f.low || f.v > f.above {
			return Errorf(Invalid, "keyspace_option", "%s is %d; it must be from %d to %d",
				f.name, f.v, f.low, f.above)
		}
	}
	return nil
}

// CheckKeyspaceName says what is wrong with a name.
func CheckKeyspaceName(name string) error {
	if name == "" || len(name) > KeyspaceNameBytesMax {
		return Errorf(Invalid, "keyspace_name",
			"the keyspace's name has %d bytes; it must have 1 to %d", len(name), KeyspaceNameBytesMax)
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '_', c == '.', c == '-':
		default:
			return Errorf(Invalid, "keyspace_name",
				"the keyspace's name %q has a %q; it may have letters, digits, _, . and -", name, c)
		}
	}
	return nil
}

// Keyspace is a named set of keys, as the meta group has it.
type Keyspace struct {
	ID   KeyspaceID `codec:"id"`
	Name string     `codec:"name"`
	KeyspaceOptions
	Version   uint64    `codec:"version"` // raised by every change
	CreatedAt Timestamp `codec:"created"` // 0: before that was noted
	Deleting  bool      `codec:"deleting"`
	// FullBytes is what it held when it was found to have reached BytesMax. 0: it
	// is not full.
	FullBytes int64 `codec:"full_bytes"`
}

// FullError is why a full keyspace does not grow; nil: it is not full.
func (k *Keyspace) FullError() *Error {
	if k.FullBytes == 0 {
		return nil
	}
	e := Errorf(Exhausted, ReasonKeyspaceFull,
		"keyspace %q holds %d bytes of keys and values, the limit is %d",
		k.Name, k.FullBytes, k.BytesMax)
	e.Next = "delete what is not needed or raise the keyspace's bytes_max"
	return e
}

// TooLarge is why a value of n bytes is not taken; nil: it is.
func (k *Keyspace) TooLarge(n int) *Error {
	if int64(n) <= k.ValueBytesMax {
		return nil
	}
	return Errorf(Invalid, ReasonValueTooLarge,
		"the value has %d bytes, the limit of keyspace %q is %d", n, k.Name, k.ValueBytesMax)
}

// NoKeyspace is the error of whoever names a keyspace that is not there.
func NoKeyspace(what string) *Error {
	e := Errorf(NotFound, ReasonKeyspaceNotFound, "%s", what)
	e.Next = "list the keyspaces, or create it: cairn keyspace create NAME"
	return e
}

// DroppedKeyspace is the error of a shard for keys of a keyspace that is deleted.
func DroppedKeyspace(id KeyspaceID) *Error {
	return NoKeyspace(fmt.Sprintf("the keyspace (number %d) was deleted", id))
}

// KeyspaceVerb is how the table of keyspaces is changed. The numbers are in the
// log: append, never reorder.
type KeyspaceVerb uint8

const (
	CreateKeyspace KeyspaceVerb = iota + 1
	UpdateKeyspace
	DeleteKeyspace // begins it
	FinishKeyspace // ends the deletion: the name is free
	FillKeyspace   // notes that it is full, or not any more
	keyspaceVerbEnd
)

// Valid reports whether this release knows v.
func (v KeyspaceVerb) Valid() bool { return v > 0 && v < keyspaceVerbEnd }

// KeyspaceSet is which options an update sets.
type KeyspaceSet uint8

const (
	SetHistoryAge KeyspaceSet = 1 << iota
	SetHistoryCount
	SetDefaultTTL
	SetValueBytesMax
	SetBytesMax
	SetAllOptions KeyspaceSet = 1<<iota - 1
)

// KeyspaceChange asks for a change of the table of keyspaces.
type KeyspaceChange struct {
	Verb    KeyspaceVerb    `codec:"verb"`
	Name    string          `codec:"name"` // create, update, delete
	ID      KeyspaceID      `codec:"id"`   // finish, fill; delete: this one only, unless 0
	Options KeyspaceOptions `codec:"options"`
	Set     KeyspaceSet     `codec:"set"`   // update: which of Options
	At      Timestamp       `codec:"at"`    // create: when
	Bytes   int64           `codec:"bytes"` // fill: what it holds; 0: not full
}

// Update is o with those options of c that c sets.
func (c *KeyspaceChange) Update(o KeyspaceOptions) KeyspaceOptions {
	for _, f := range []struct {
		bit      KeyspaceSet
		to, from *int64
	}{
		{SetHistoryAge, &o.HistoryAge, &c.Options.HistoryAge},
		{SetHistoryCount, &o.HistoryCount, &c.Options.HistoryCount},
		{SetDefaultTTL, &o.DefaultTTL, &c.Options.DefaultTTL},
		{SetValueBytesMax, &o.ValueBytesMax, &c.Options.ValueBytesMax},
		{SetBytesMax, &o.BytesMax, &c.Options.BytesMax},
	} {
		if c.Set&f.bit != 0 {
			*f.to = *f.from
		}
	}
	return o
}

// Usage is what a keyspace holds, as shards count it.
type Usage struct {
	Keys      int64 // that exist; expired ones count until something is put in their place
	LiveBytes int64 // of these, and of their values
	Versions  int64 // that are kept, provisional ones among them
	Bytes     int64 // of these: keys and encoded values
}

// Add adds o to u.
func (u *Usage) Add(o Usage) {
	u.Keys += o.Keys
	u.LiveBytes += o.LiveBytes
	u.Versions += o.Versions
	u.Bytes += o.Bytes
}

// KeyspaceSpan is every key of a keyspace.
func KeyspaceSpan(id KeyspaceID) Span { return PrefixSpan(NewKey(id, nil)) }
