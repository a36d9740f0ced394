package sim

import (
	"fmt"
	"io"
	"time"
)

// trace is the rolling hash of all that happens in a run, in order, and, when
// somebody reads along, its text.
type trace struct {
	hash uint64
	text io.Writer // nil: nobody reads
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (t *trace) number(v uint64) {
	for range 8 {
		t.hash = (t.hash ^ v&0xff) * fnvPrime
		v >>= 8
	}
}

func (t *trace) word(s string) {
	for i := range len(s) {
		t.hash = (t.hash ^ uint64(s[i])) * fnvPrime
	}
	t.hash = (t.hash ^ 0xff) * fnvPrime
}

// say adds a line to the text and its pattern to the hash. Arguments that are
// numbers or strings are hashed too.
func (w *world) say(format string, args ...any) {
	w.trace.word(format)
	for _, a := range args {
		switch a := a.(type) {
		case string:
			w.trace.word(a)
		case int:
			w.trace.number(uint64(a))
		case time.Duration:
			w.trace.number(uint64(a))
		}
	}
	if w.trace.text != nil {
		_, _ = fmt.Fprintf(w.trace.text, "%11.6f  %s\n", w.now.Seconds(),
			fmt.Sprintf(format, args...))
	}
}
