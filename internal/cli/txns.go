package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

func newTxns(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "txns",
		Short: "List the transactions that clients have open at the gateway",
		Long: `List the transactions that clients have open at the gateway, the one that is open longest
first. AGE is how long ago its first attempt began: the older one gets the lock. IDLE is how
long it has waited for its client's next call. STATE is idle, running, waiting (for a lock) or
ending.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				all, err := db.OpenTxns(ctx)
				if err != nil {
					return err
				}
				return s.printTxns(all, time.Now())
			})
		},
	}
}

type txnJSON struct {
	ID          string `json:"id"`
	Age         int64  `json:"age"`
	Mode        string `json:"mode"`
	Isolation   string `json:"isolation"`
	ReadOnly    bool   `json:"read_only"`
	OpenMS      int64  `json:"open_ms"`
	IdleMS      int64  `json:"idle_ms"`
	KeysRead    int64  `json:"keys_read"`
	KeysWritten int64  `json:"keys_written"`
	State       string `json:"state"`
}

func newTxnJSON(t *client.OpenTxn) txnJSON {
	return txnJSON{
		ID: t.ID, Age: int64(t.Age), Mode: txnMode(t), Isolation: t.Isolation.String(),
		ReadOnly: t.ReadOnly, OpenMS: t.Open.Milliseconds(), IdleMS: t.Idle.Milliseconds(),
		KeysRead: t.KeysRead, KeysWritten: t.KeysWritten, State: t.State.String(),
	}
}

func txnMode(t *client.OpenTxn) string {
	if t.Pessimistic {
		return "pessimistic"
	}
	return "optimistic"
}

// printTxns prints text as a table too, as status does; raw is the ids.
func (s *session) printTxns(all []client.OpenTxn, now time.Time) error {
	switch s.format {
	case "json":
		list := []txnJSON{}
		for i := range all {
			list = append(list, newTxnJSON(&all[i]))
		}
		return s.printJSON(list)
	case "ndjson":
		for i := range all {
			if err := s.printJSON(newTxnJSON(&all[i])); err != nil {
				return err
			}
		}
		return nil
	case "raw":
		for i := range all {
			if _, err := fmt.Fprintln(s.main.Stdout, all[i].ID); err != nil {
				return err
			}
		}
		return nil
	}
	var rows [][]string
	for i := range all {
		t := &all[i]
		kind := t.Isolation.String()
		if t.ReadOnly {
			kind += ", read-only"
		}
		rows = append(rows, []string{
			t.ID, seconds(now.Sub(t.Age.Time())), txnMode(t), kind, seconds(t.Open), seconds(t.Idle),
			strconv.FormatInt(t.KeysRead, 10), strconv.FormatInt(t.KeysWritten, 10), t.State.String(),
		})
	}
	return printTable(s.main.Stdout, []string{
		"TXN", "AGE", "MODE", "ISOLATION", "OPEN", "IDLE", "READ", "WRITTEN", "STATE",
	}, rows)
}

// seconds is d to a tenth of a second; an age of low priority is still to come.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
}
