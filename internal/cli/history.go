package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// timeLayout keeps the microseconds of a commit_ts, so that it can be given to as of.
const timeLayout = "2006-01-02T15:04:05.000000Z"

func newHistory(s *session) *cobra.Command {
	var o client.HistoryOptions
	cmd := &cobra.Command{
		Use:   "history KEY",
		Short: "List the versions of a key, newest first",
		Long: `List the versions of a key, newest first: when, what was done, the value, who did it and
why, as far as they said. Exit code 3 if there are none. The time is one that as of takes.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := onlyKey(args)
			if err != nil {
				return err
			}
			if o.Limit < 0 {
				return usagef("--limit %d is negative", o.Limit)
			}
			return s.withDB(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				return s.printHistory(ctx, db, key, o)
			})
		},
	}
	cmd.Flags().Int64Var(&o.Limit, "limit", 0, "most versions, 0 = all")
	cmd.Flags().BoolVar(&o.KeysOnly, "keys-only", false, "versions without values")
	return s.completesKeys(cmd)
}

func (s *session) printHistory(
	ctx context.Context, db *client.DB, key string, o client.HistoryOptions,
) error {
	start := time.Now()
	head := []string{
		"REVISION", "CHANGE", "TIME", "COMMIT TS", "TYPE", "VALUE", "PRINCIPAL", "MESSAGE",
	}
	p := s.newPrinter(head...)
	for h, err := range db.History(ctx, key, o) {
		if err != nil {
			return err
		}
		if err := p.add(historyLine(&h, !o.KeysOnly && h.Change != client.ChangeDeleted)); err != nil {
			return err
		}
	}
	if p.count == 0 && s.format != "json" {
		return s.printWrite(written{Key: key, Revision: -1, took: time.Since(start)})
	}
	if err := p.end(); err != nil || p.count > 0 {
		return err
	}
	return errNotMet
}

// operationWord is the one that the HTTP endpoint has for it.
func operationWord(c client.Change) string {
	switch c {
	case client.ChangeSet:
		return "set"
	case client.ChangeDeleted:
		return "delete"
	case client.ChangeExtended:
		return "extend"
	}
	return "unknown"
}

// historyLine is a version: r2 2026-01-02T15:04:05.000000Z set v3, by alice: why.
func historyLine(h *client.HistoryEntry, value bool) line {
	change, at := h.Change.String(), h.CommitTS.Time().UTC().Format(timeLayout)
	text := revision(h.Revision) + " " + at + " " + change
	row := []string{revision(h.Revision), change, at, strconv.FormatInt(int64(h.CommitTS), 10), "", ""}
	o := newObject()
	o.text("key", "key_encoding", []byte(h.Key))
	o.put("revision", h.Revision)
	o.put("operation", operationWord(h.Change))
	o.put("commit_ts", int64(h.CommitTS))
	o.put("create_ts", int64(h.CreateTS))
	o.put("expires_at", unixMS(h.ExpiresAt))
	raw := []byte(revision(h.Revision))
	if value {
		shown := valueText(h.Value)
		text += " " + shown
		row[4], row[5] = h.Value.Type.String(), shown
		raw = valueBytes(h.Value)
		o.value(h.Value)
	}
	if h.Principal != "" {
		text += ", by " + quoteText(h.Principal)
		o.put("principal", h.Principal)
	}
	if h.Message != "" {
		text += ": " + quoteText(h.Message)
		o.put("message", h.Message)
	}
	return line{text: text, raw: raw, row: append(row, h.Principal, h.Message), object: o}
}
