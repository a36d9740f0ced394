package history

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Kind is what a micro-operation does, as it is written in a history.
type Kind string

// The kinds of micro-operations.
const (
	Append Kind = "append" // N at the end of the list Key; no N twice
	Write  Kind = "w"      // Key becomes N
	Insert Kind = "insert" // Key, which must be missing, becomes N
	Delete Kind = "delete" // Key is missing then
	Read   Kind = "r"      // List of a list, N of a register; Missing if there is none
	Scan   Kind = "rp"     // all of a range, of which Key is the name: Rows
)

// Mop is one micro-operation of a transaction. What a read found is there once
// Known is true: an invocation has reads that are not.
type Mop struct {
	Kind Kind
	Key  string
	// N is what is written, or read of a register.
	N int64
	// List is what was read of a list, nil where Listed is false.
	List []int64
	// Rows is what a scan found, by key.
	Rows map[string]int64
	// Known: the result of a read is there; writes are always known.
	Known bool
	// Missing: the key was read and there was none. Of a list that is the empty one.
	Missing bool
	// Listed tells the reads of lists from those of registers.
	Listed bool
}

// Writes reports whether m changes something.
func (m *Mop) Writes() bool { return m.Kind != Read && m.Kind != Scan }

// MarshalJSON writes m as an array, such as ["append","x",1].
func (m Mop) MarshalJSON() ([]byte, error) {
	switch {
	case m.Kind == Delete:
		return json.Marshal([]any{m.Kind, m.Key})
	case m.Writes():
		return json.Marshal([]any{m.Kind, m.Key, m.N})
	case !m.Known, m.Missing:
		return json.Marshal([]any{m.Kind, m.Key, nil})
	case m.Kind == Scan:
		return json.Marshal([]any{m.Kind, m.Key, m.Rows})
	case m.Listed:
		return json.Marshal([]any{m.Kind, m.Key, m.List})
	default:
		return json.Marshal([]any{m.Kind, m.Key, m.N})
	}
}

// UnmarshalJSON reads what MarshalJSON writes. A read without a result is taken
// for one that found nothing: whether it is known is up to its Event.
func (m *Mop) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	*m = Mop{}
	if len(parts) < 2 {
		return fmt.Errorf("micro-operation %s has %d parts", b, len(parts))
	}
	err := errors.Join(json.Unmarshal(parts[0], &m.Kind), json.Unmarshal(parts[1], &m.Key))
	if err != nil {
		return err
	}
	var value json.RawMessage
	if len(parts) > 2 {
		value = parts[2]
	}
	switch m.Kind {
	case Delete:
		m.Known = true
		return nil
	case Append, Write, Insert:
		m.Known = true
		return json.Unmarshal(value, &m.N)
	case Read, Scan:
		m.Known = true
		return m.readResult(value)
	default:
		return fmt.Errorf("micro-operation %s is of no known kind", b)
	}
}

func (m *Mop) readResult(value json.RawMessage) error {
	switch {
	case len(value) == 0 || string(value) == "null":
		m.Missing = true
		return nil
	case m.Kind == Scan:
		return json.Unmarshal(value, &m.Rows)
	case value[0] == '[':
		m.Listed = true
		return json.Unmarshal(value, &m.List)
	default:
		return json.Unmarshal(value, &m.N)
	}
}
