package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Type is what an event says of its operation.
type Type string

// The types of events.
const (
	Invoke Type = "invoke" // it begins
	OK     Type = "ok"     // it happened
	Fail   Type = "fail"   // it surely did not, and never will
	Info   Type = "info"   // nobody knows
)

// Init is the F of the event that says what there was at first.
const Init = "init"

// Event is one line of a history.
type Event struct {
	Process int    `json:"process"`
	Type    Type   `json:"type"`
	F       string `json:"f"` // "txn", or Init
	Value   []Mop  `json:"value"`
	// Time is nanoseconds since the run began, of a clock that never goes back.
	Time int64 `json:"time"`
	// TS is the place in the order of commits that an ok operation was told: commit_ts of
	// one that wrote, read_ts of one that did not, and comes after all that committed at or below.
	TS uint64 `json:"ts,omitempty"`
	// Mode says how the client went about it: optimistic, pessimistic, oneshot, get, ….
	Mode string `json:"mode,omitempty"`
	// Gateway is by whom it was served, as far as its client chose: "g1".
	Gateway string `json:"gateway,omitempty"`
	// Error is why it did not happen, or why nobody knows.
	Error string `json:"error,omitempty"`
	// Odd is what its client was told that cannot be, whatever else happened.
	Odd string `json:"odd,omitempty"`
}

// MarshalJSON writes what there was at first as an object, {"x":1}, and what
// operations did as a list.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	if e.F != Init {
		return json.Marshal(plain(e))
	}
	rows := make(map[string]int64, len(e.Value))
	for _, m := range e.Value {
		rows[m.Key] = m.N
	}
	return json.Marshal(struct {
		plain
		Value map[string]int64 `json:"value"`
	}{plain(e), rows})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Event) UnmarshalJSON(b []byte) error {
	type plain Event
	var line struct {
		plain
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(b, &line); err != nil {
		return err
	}
	*e = Event(line.plain)
	if len(line.Value) == 0 {
		return nil
	}
	if e.F != Init {
		return json.Unmarshal(line.Value, &e.Value)
	}
	var rows map[string]int64
	if err := json.Unmarshal(line.Value, &rows); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		e.Value = append(e.Value, Mop{Kind: Write, Key: key, N: rows[key], Known: true})
	}
	return nil
}

// lineMax bounds a line of a history, in bytes.
const lineMax = 64 << 20

// ReadEvents reads a history up to its end.
func ReadEvents(r io.Reader) ([]Event, error) {
	var all []Event
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, lineMax)
	for lines.Scan() {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(all)+1, err)
		}
		if e.Type != OK {
			for i := range e.Value {
				e.Value[i].forget()
			}
		}
		all = append(all, e)
	}
	return all, lines.Err()
}

// forget makes a read one that has not been answered.
func (m *Mop) forget() {
	if !m.Writes() {
		*m = Mop{Kind: m.Kind, Key: m.Key}
	}
}
