package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

func newLocks(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "locks",
		Short: "List who holds which lock, and who waits for it behind whom",
		Long: `List the locks of all transactions in key order; of each who holds it, then who waits.
A range is shown as [FROM, TO), without TO where it goes on to the last key; one over several
shards is listed in each. AGE is how long ago the transaction's first attempt began: the older
one gets the lock. SINCE is how long ago the transaction asked for the lock. STATE is held,
committing (held, and nobody can take it away) or waits for the transactions that are in its
way, at this key or at another one that it asked for together with this one.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				t, err := db.Locks(ctx)
				if err != nil {
					return err
				}
				if err := s.printLocks(&t, time.Now()); err != nil || s.format == "json" {
					return err
				}
				return s.printMissingLocks(&t)
			})
		},
	}
}

type lockTableJSON struct {
	Locks  []lockJSON        `json:"locks"`
	More   bool              `json:"more"`
	Silent []silentShardJSON `json:"silent"`
}

type lockJSON struct {
	Keyspace   string   `json:"keyspace"`
	Key        *string  `json:"key,omitempty"`
	Start      *string  `json:"start,omitempty"` // of a range
	End        *string  `json:"end,omitempty"`
	Mode       string   `json:"mode"`
	Txn        string   `json:"txn"`
	Age        int64    `json:"age"`
	Waits      bool     `json:"waits"`
	Committing bool     `json:"committing"`
	Behind     []string `json:"behind"`
	SinceMS    int64    `json:"since_ms"`
}

type silentShardJSON struct {
	ID  uint64 `json:"id"`
	Why string `json:"why"`
}

func newLockJSON(l *client.Lock) lockJSON {
	out := lockJSON{
		Keyspace: l.Keyspace, Mode: l.Mode.String(), Txn: l.Txn, Age: int64(l.Age),
		Waits: l.Waits, Committing: l.Committing, Behind: append([]string{}, l.Behind...),
		SinceMS: l.Since.Milliseconds(),
	}
	if l.Range {
		out.Start, out.End = &l.Start, &l.End
	} else {
		out.Key = &l.Key
	}
	return out
}

// printLocks prints text as a table too, as status does; raw is the keys and ranges.
func (s *session) printLocks(t *client.LockTable, now time.Time) error {
	switch s.format {
	case "json":
		all := lockTableJSON{Locks: []lockJSON{}, More: t.More, Silent: []silentShardJSON{}}
		for i := range t.Locks {
			all.Locks = append(all.Locks, newLockJSON(&t.Locks[i]))
		}
		for _, shard := range t.Silent {
			all.Silent = append(all.Silent, silentShardJSON(shard))
		}
		return s.printJSON(all)
	case "ndjson":
		for i := range t.Locks {
			if err := s.printJSON(newLockJSON(&t.Locks[i])); err != nil {
				return err
			}
		}
		return nil
	case "raw":
		for i := range t.Locks {
			name := t.Locks[i].Key
			if t.Locks[i].Range {
				name = lockName(&t.Locks[i])
			}
			if _, err := fmt.Fprintln(s.main.Stdout, name); err != nil {
				return err
			}
		}
		return nil
	}
	var rows [][]string
	for i := range t.Locks {
		l := &t.Locks[i]
		rows = append(rows, []string{
			lockName(l), l.Mode.String(), l.Txn, seconds(now.Sub(l.Age.Time())), seconds(l.Since),
			lockState(l),
		})
	}
	return printTable(s.main.Stdout,
		[]string{"LOCK", "MODE", "TXN", "AGE", "SINCE", "STATE"}, rows)
}

// lockName is what is locked.
func lockName(l *client.Lock) string {
	if !l.Range {
		return quoteKey(l.Key)
	}
	bound := func(key string) string {
		if key == "" {
			return ""
		}
		return quoteKey(key)
	}
	return "[" + bound(l.Start) + ", " + bound(l.End) + ")"
}

func lockState(l *client.Lock) string {
	switch {
	case l.Waits && len(l.Behind) == 0:
		return "waits" // for whom had just gone
	case l.Waits:
		return "waits for " + strings.Join(l.Behind, ", ")
	case l.Committing:
		return "committing"
	}
	return "held"
}

// printMissingLocks says what is not in the list, beside it.
func (s *session) printMissingLocks(t *client.LockTable) error {
	for _, shard := range t.Silent {
		if _, err := fmt.Fprintf(s.main.Stderr, "shard %d did not answer: %s\n",
			shard.ID, oneLine(shard.Why)); err != nil {
			return err
		}
	}
	if t.More {
		_, err := fmt.Fprintln(s.main.Stderr, "there are more locks than these")
		return err
	}
	return nil
}
