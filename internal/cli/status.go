package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

func newStatus(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show version, shards, keys and bytes of the cluster",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				st, err := db.Status(ctx)
				if err != nil {
					return err
				}
				if s.format == "json" || s.format == "ndjson" {
					return s.printJSON(statusJSON(st))
				}
				return s.printStatus(st)
			})
		},
	}
}

func (s *session) printStatus(st client.Status) error {
	out := s.main.Stdout
	fields := [][2]string{
		{"version", st.Version}, {"cluster", st.ClusterID},
		{"member", strconv.FormatUint(st.MemberID, 10)},
		{"uptime", st.Uptime.Truncate(time.Second).String()},
		{"shards", strconv.FormatInt(st.Totals.Shards, 10)},
		{"keys", strconv.FormatInt(st.Totals.Keys, 10)},
		{"bytes", strconv.FormatInt(st.Totals.Bytes, 10)},
		{"intents", strconv.FormatInt(st.Totals.Intents, 10)},
	}
	if st.DataDir != "" {
		fields = append(fields, [2]string{"data", st.DataDir})
	}
	if st.DiskFree > 0 {
		fields = append(fields, [2]string{"disk free", megabytes(st.DiskFree)})
	}
	for _, f := range fields {
		if _, err := fmt.Fprintf(out, "%-10s %s\n", f[0], f[1]); err != nil {
			return err
		}
	}
	var rows [][]string
	for _, sh := range st.Shards {
		rows = append(rows, []string{
			strconv.FormatUint(sh.ID, 10), shardName(sh), boundary(sh.StartKey, sh.Keyspace),
			boundary(sh.EndKey, sh.Keyspace), strconv.FormatBool(sh.Leader),
			strconv.FormatInt(sh.Keys, 10), strconv.FormatInt(sh.Bytes, 10),
			strconv.FormatUint(sh.Applied, 10), strconv.FormatInt(sh.Intents, 10),
		})
	}
	return printTable(out, []string{
		"SHARD", "KEYSPACE", "FROM", "TO", "LEADER", "KEYS", "BYTES", "APPLIED", "INTENTS",
	}, rows)
}

func shardName(sh client.ShardStatus) string {
	if sh.Keyspace == "" {
		return "(meta)"
	}
	return sh.Keyspace
}

// boundary is a stored key without the 4 bytes of its keyspace; - where there is none.
func boundary(stored []byte, keyspace string) string {
	if keyspace == "" || len(stored) <= 4 {
		return "-"
	}
	return quoteKey(string(stored[4:]))
}

type shardJSON struct {
	ID       uint64 `json:"id"`
	Keyspace string `json:"keyspace"`
	Start    string `json:"start"`
	End      string `json:"end"`
	Leader   bool   `json:"leader"`
	Keys     int64  `json:"keys"`
	Bytes    int64  `json:"bytes"`
	Applied  uint64 `json:"applied_index"`
	Intents  int64  `json:"intents"`
}

func statusJSON(st client.Status) any {
	shards := []shardJSON{}
	for _, sh := range st.Shards {
		shards = append(shards, shardJSON{
			ID: sh.ID, Keyspace: sh.Keyspace, Start: fmt.Sprintf("%x", sh.StartKey),
			End: fmt.Sprintf("%x", sh.EndKey), Leader: sh.Leader, Keys: sh.Keys,
			Bytes: sh.Bytes, Applied: sh.Applied, Intents: sh.Intents,
		})
	}
	return struct {
		Version   string      `json:"version"`
		ClusterID string      `json:"cluster_id"`
		MemberID  uint64      `json:"member_id"`
		UptimeMS  int64       `json:"uptime_ms"`
		DataDir   string      `json:"data_dir"`
		DiskFree  int64       `json:"disk_free_bytes"`
		Keys      int64       `json:"keys"`
		Bytes     int64       `json:"bytes"`
		Intents   int64       `json:"intents"`
		Shards    []shardJSON `json:"shards"`
	}{
		st.Version, st.ClusterID, st.MemberID, st.Uptime.Milliseconds(), st.DataDir,
		st.DiskFree, st.Totals.Keys, st.Totals.Bytes, st.Totals.Intents, shards,
	}
}

// megabytes of 1,000,000 bytes, or less where it is less.
func megabytes(n int64) string {
	switch {
	case n >= 10_000_000:
		return strconv.FormatInt((n+500_000)/1_000_000, 10) + " MB"
	case n >= 1000:
		return strconv.FormatFloat(float64(n)/1e6, 'f', 3, 64) + " MB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
