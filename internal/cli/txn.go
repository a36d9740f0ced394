package cli

import (
	"bytes"
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/cairnkv/cairn/client"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

func newTxn(s *session) *cobra.Command {
	t, binary := &target{}, false
	cmd := &cobra.Command{
		Use:   "txn [FILE]",
		Short: "Run a one-shot transaction: operations that happen together, if conditions hold",
		Long: `Run a one-shot transaction that is read from a file, or from standard input, in the JSON
that POST /v1/txn takes, but for keyspaces: all its keys are in that of --keyspace.

  {"if":   [{"compare": {"key": "stock", "op": "greater_or_equal", "value": 3}}],
   "then": [{"increment": {"key": "stock", "by": -3}},
            {"set": {"key": "orders/17", "value": "3 of them", "ttl_ms": 60000}}],
   "else": [{"get": {"key": "stock"}}]}

Conditions are compare (value, revision, commit_ts, create_ts or exists), count, unchanged, all,
any and not; operations get, exists, ttl, set, delete, extend, increment, append, min, max, range,
delete_range and revert. With --proto it is the JSON of a cairn.v1.ExecuteRequest, whose keys and
bytes are base64.

One line for each operation of the branch that ran says what came of it, and the last one which
branch that was. Exit code 3 if the conditions did not hold.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			file := "-"
			if len(args) > 0 {
				file = plain(args[0])
			}
			if len(args) > 1 {
				return usagef("%q is one word too many", plain(args[1]))
			}
			text, err := s.readFile(file)
			if err != nil {
				return err
			}
			if binary {
				return s.runMessage(cmd, text, t.message)
			}
			return s.runProgram(cmd, text, t.message)
		},
	}
	t.messageFlag(cmd)
	cmd.Flags().BoolVar(&binary, "proto", false, "it is a cairn.v1.ExecuteRequest in JSON")
	return cmd
}

func (s *session) runProgram(cmd *cobra.Command, text []byte, message string) error {
	p, err := parseProgram(text)
	if err != nil {
		return err
	}
	p.Message = cmp.Or(message, p.Message)
	return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
		start := time.Now()
		out, err := db.Execute(ctx, p.Program)
		if err != nil {
			return err
		}
		if out.Succeeded {
			return s.printOutcome(p.then, &out, time.Since(start))
		}
		return s.printOutcome(p.otherwise, &out, time.Since(start))
	})
}

func (s *session) runMessage(cmd *cobra.Command, text []byte, message string) error {
	req := &cairnv1.ExecuteRequest{}
	if err := protojson.Unmarshal(bytes.TrimSpace(text), req); err != nil {
		return usagef("that is no cairn.v1.ExecuteRequest in JSON: %w", err)
	}
	req.Message = cmp.Or(message, req.Message)
	return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
		start := time.Now()
		out, err := db.ExecuteMessage(ctx, req)
		if err != nil {
			return err
		}
		ran := req.Then
		if !out.Succeeded {
			ran = req.Else
		}
		told := make([]operation, len(ran))
		for i, op := range ran {
			told[i] = operationOf(op)
		}
		return s.printOutcome(told, &out, time.Since(start))
	})
}

func operationOf(op *cairnv1.Op) operation {
	switch k := op.GetRequest().(type) {
	case *cairnv1.Op_Get:
		return operation{name: "get", key: string(k.Get.Key)}
	case *cairnv1.Op_Exists:
		return operation{name: "exists", key: string(k.Exists.Key)}
	case *cairnv1.Op_TimeToLive:
		return operation{name: "ttl", key: string(k.TimeToLive.Key)}
	case *cairnv1.Op_Set:
		return operation{name: "set", key: string(k.Set.Key)}
	case *cairnv1.Op_Delete:
		return operation{name: "delete", key: string(k.Delete.Key)}
	case *cairnv1.Op_Extend:
		return operation{name: "extend", key: string(k.Extend.Key)}
	case *cairnv1.Op_Update:
		o := operation{name: "update", key: string(k.Update.Key)}
		o.valueless = k.Update.GetAppend() != nil
		return o
	case *cairnv1.Op_DeleteRange:
		return operation{name: "delete_range"}
	case *cairnv1.Op_Revert:
		return operation{name: "revert"}
	}
	return operation{name: "range", valueless: op.GetRange().GetKeysOnly()}
}

// printOutcome prints what the operations came to, and which branch they were.
func (s *session) printOutcome(ran []operation, out *client.Outcome, d time.Duration) error {
	name := "then"
	var missed error
	if !out.Succeeded {
		name, missed = "else", errNotMet
	}
	p := s.newPrinter("OPERATION", "KEY", "RESULT")
	for i := range out.Results {
		for _, l := range resultLines(ran[i], &out.Results[i]) {
			if err := p.add(l); err != nil {
				return err
			}
		}
	}
	o := newObject()
	o.put("branch", name)
	o.put("succeeded", out.Succeeded)
	o.put("commit_ts", int64(out.CommitTS))
	err := p.add(line{text: name + " " + took(d), raw: []byte(name), object: o,
		row: []string{name, "", took(d)}})
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return err
	}
	return missed
}

// resultLines is what an operation came to: one line, but for ranges.
func resultLines(op operation, r *client.Result) []line {
	w := written{Key: op.key}
	switch op.name {
	case "get":
		return []line{entryLine("get", r.Get, true)}
	case "exists":
		w.Done, w.Revision, w.Word = r.Get.Found(), r.Get.Revision, "exists"
	case "set":
		w.Done, w.Revision, w.Word = r.Set.Set, r.Set.Revision, "set"
	case "delete":
		w.Done, w.Revision, w.Word = r.Delete.Deleted, r.Delete.Revision, "deleted"
	case "extend":
		w.Done, w.Revision, w.Word = r.Extend.Extended, r.Extend.Revision, "extended"
	case "ttl":
		w.Done, w.Revision = r.TTL.Found(), r.TTL.Revision
		w.Value = new(client.IntValue(r.TTL.Left.Milliseconds()))
	case "range":
		var lines []line
		for _, e := range r.Entries {
			lines = append(lines, entryLine("range", e, !op.valueless))
		}
		return lines
	case "delete_range":
		return []line{countLine(op.name, r.DeleteRange.Count, "deleted")}
	case "revert":
		return []line{countLine(op.name, r.Revert.Count, "reverted")}
	default:
		w.Done, w.Revision = r.Update.Updated, r.Update.Revision
		w.Word, w.Otherwise = updateWords(op.name)
		if w.Done && !op.valueless {
			w.Value = &r.Update.Value
		}
	}
	return []line{wordLine(op.name, w)}
}

// updateWords are those of the command of that name: what it did, and what it did instead.
func updateWords(op string) (done, otherwise string) {
	switch op {
	case "increment":
		return "incremented", ""
	case "append":
		return "appended", ""
	case "min", "max":
		return "updated", "kept"
	}
	return "updated", ""
}

func wordLine(op string, w written) line {
	n := revision(w.Revision)
	o := w.object()
	o.put("operation", op)
	return line{
		text: n + " " + quoteKey(w.Key) + " " + w.shown(), raw: []byte(w.shown()), object: o,
		row: []string{op, quoteKey(w.Key), n + " " + w.shown()},
	}
}

func entryLine(op string, e client.Entry, value bool) line {
	if !e.Found() {
		return wordLine(op, written{Key: e.Key, Revision: e.Revision})
	}
	n := revision(e.Revision)
	l := line{
		text: n + " " + quoteKey(e.Key), raw: []byte(e.Key), object: entryObject(e, value),
		row: []string{op, quoteKey(e.Key), n},
	}
	if value {
		l.text += " " + valueText(e.Value)
		l.raw = bytes.Clone(valueBytes(e.Value))
		l.row[2] += " " + valueText(e.Value)
	}
	l.object.put("operation", op)
	return l
}

func countLine(op string, n int64, word string) line {
	o := newObject()
	o.put("operation", op)
	o.put("count", n)
	text := keys(n) + " " + word
	return line{text: text, raw: []byte(text), row: []string{op, "", text}, object: o}
}
