package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cairnkv/cairn/internal/cli"
	"github.com/cairnkv/cairn/txn"
)

// cliWay is the program cairn, run in this process; its output is read as JSON.
type cliWay struct{ endpoint string }

func (w *cliWay) cannot(s *Step) string {
	_, why := s.Command()
	return why
}

// silent: what a command says of a write is the revision, when, and until when.
func (w *cliWay) silent(s *Step, what string) bool {
	switch what {
	case "prev=":
		return true
	case "create=":
		return s.Op != "get"
	case "done": // min and max say what is there now
		return s.Op == "min" || s.Op == "max"
	case "as", "ts=", "count=", "ttl=", "bytes=":
		return true
	}
	return false
}

// run runs a command line in one format.
func (w *cliWay) run(ctx context.Context, c *Command, format string) (out, errs []byte, code int) {
	var stdout, stderr bytes.Buffer
	m := &cli.Main{
		Stdin: strings.NewReader(c.Stdin), Stdout: &stdout, Stderr: &stderr,
		Getenv: func(name string) string {
			return map[string]string{"CAIRN_ENDPOINT": w.endpoint, "HOME": "/nonexistent"}[name]
		},
	}
	code = m.RunContext(ctx, append([]string{"-o", format}, c.Args...))
	return stdout.Bytes(), stderr.Bytes(), code
}

// kindExits are the exit codes of the kinds, by API.md.
var kindExits = map[string]int{
	"internal": 1, "invalid_argument": 2, "not_found": 3, "conflict": 4, "wounded": 4, "unavailable": 5,
	"deadline_exceeded": 5, "unknown": 6, "resource_exhausted": 1, "too_old": 1,
}

func (w *cliWay) do(ctx context.Context, s *Step) (answer, error) {
	c, _ := s.Command()
	out, errs, code := w.run(ctx, c, "json")
	if a, failed, err := failedCommand(errs, code); failed {
		return a, err
	}
	a, err := commandAnswer(s, bytes.TrimSpace(out))
	switch {
	case s.Op == "min" || s.Op == "max":
		a.done = nil
	case s.Op == "ttl" && a.ttl == nil:
		a.ttl = int64p(-1)
	}
	if err != nil {
		return a, fmt.Errorf("cairn %q: %w", c.Args, err)
	}
	if a.value != nil && a.value.Type == txn.JSON && s.Op == "get" { // what -o json prints is compact
		raw, _, _ := w.run(ctx, c, "raw")
		a.value.Data = raw
	}
	if met := a.met(s); met != (code == 0) || code != 0 && code != 3 {
		return a, fmt.Errorf("cairn %q: exit code %d, %s", c.Args, code, out)
	}
	return a, nil
}

// met reports whether all was found or done, which is what the exit code says.
func (a *answer) met(s *Step) bool {
	undone := func(b answer) bool { return b.done != nil && !*b.done }
	switch s.Op {
	case "execute", "revert":
		return !undone(*a)
	case "make", "change", "keyspace":
		return true
	case "history":
		return len(a.items) > 0
	case "min", "max":
		return true // it holds what it should
	}
	return !undone(*a) && !slices.ContainsFunc(a.items, undone)
}

func failedCommand(errs []byte, code int) (a answer, failed bool, err error) {
	line, ok := strings.CutPrefix(string(errs), "cairn: ")
	if !ok {
		return a, false, nil
	}
	phrase, message, _ := strings.Cut(line, ": ")
	kind := strings.ReplaceAll(phrase, " ", "_")
	switch phrase {
	case "usage":
		kind = "invalid_argument"
	case "history gone":
		kind = "too_old"
	case "outcome unknown":
		kind = "unknown"
	case "note":
		return a, false, nil
	}
	if kindExits[kind] != code {
		return a, true, fmt.Errorf("kind %s has exit code %d, want %d: %s", kind, code, kindExits[kind], errs)
	}
	return answer{failed: &failure{kind: kind, message: message}}, true, nil
}

func commandAnswer(s *Step, out []byte) (a answer, err error) {
	if bytes.HasPrefix(out, []byte("[")) {
		return listAnswer(s, out)
	}
	f, err := parseFields(out)
	if err != nil {
		return a, err
	}
	switch s.Op {
	case "make", "drop", "change", "keyspace":
		word := f.text("result")
		return answer{done: yesOrNo(word == "created" || word == "deleted"), options: f.options()}, nil
	}
	return lineAnswer(f)
}

// lineAnswer is an object that may say by a word whether something was found or done.
func lineAnswer(f fields) (a answer, err error) {
	a, err = f.answer()
	word := f.text("result")
	done := !strings.HasPrefix(word, "not") && word != "no ttl"
	if _, ok := f["revision"]; ok && a.done == nil {
		a.done = &done
	}
	if change := f.text("change"); change != "" {
		a.operation = map[string]string{"set": "set", "deleted": "delete", "extended": "extend"}[change]
	}
	if word == "reverted" && a.count == nil {
		a.count = int64p(1)
	}
	if word == "unchanged" {
		var none int64
		a.count = &none
	}
	return a, err
}

func listAnswer(s *Step, out []byte) (a answer, err error) {
	var list []json.RawMessage
	if err := json.Unmarshal(out, &list); err != nil {
		return a, err
	}
	for _, text := range list {
		f, err := parseFields(text)
		if err != nil {
			return a, err
		}
		if s.Op == "keyspaces" {
			a.names = append(a.names, f.text("name"))
			continue
		}
		if branch := f.text("branch"); branch != "" { // the last line of a transaction
			done := branch == "then"
			a.done, a.commit = &done, f.int("commit_ts")
			continue
		}
		item, err := lineAnswer(f)
		if err != nil {
			return a, err
		}
		if item.operation == "ttl" && item.value != nil {
			item.ttl = int64p(item.value.Int())
		}
		if s.Op == "mset" && item.done != nil && *item.done {
			a.commit = item.commit
		}
		a.items = append(a.items, item)
	}
	if s.Op == "revert" { // a dry run
		count := int64(len(a.items))
		a.count = &count
	}
	return a, nil
}
