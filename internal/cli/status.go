package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

func newStatus(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show members, shards, leaders, lag and disks of the cluster",
		Long: `Show members, shards, leaders, lag and disks of the cluster.

LEADER is the member that leads a shard, - if nobody does. LAG is how many entries of the
shard's log each member's copy has not applied yet, as MEMBER:ENTRIES; ? where the member
does not answer, and + behind a copy that has no vote.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				st, err := db.Status(ctx)
				if err != nil {
					return err
				}
				if s.format == "json" || s.format == "ndjson" {
					return s.printJSON(newStatusJSON(st))
				}
				return s.printStatus(st)
			})
		},
	}
}

func (s *session) printStatus(st client.Status) error {
	out := s.main.Stdout
	down := 0
	for i := range st.Members {
		down += b2i(st.Members[i].Down != "")
	}
	members := strconv.Itoa(len(st.Members))
	if down > 0 {
		members += fmt.Sprintf(", %d down", down)
	}
	fields := [][2]string{
		{"version", st.Version}, {"cluster", st.ClusterID},
		{"uptime", st.Uptime.Truncate(time.Second).String()},
		{"members", members},
		{"shards", strconv.FormatInt(st.Totals.Shards, 10)},
		{"keys", strconv.FormatInt(st.Totals.Keys, 10)},
		{"bytes", strconv.FormatInt(st.Totals.Bytes, 10)},
		{"intents", strconv.FormatInt(st.Totals.Intents, 10)},
	}
	if len(st.Members) < 2 && st.DataDir != "" {
		fields = append(fields, [2]string{"data", st.DataDir})
	}
	for _, f := range fields {
		if _, err := fmt.Fprintf(out, "%-10s %s\n", f[0], f[1]); err != nil {
			return err
		}
	}
	if err := printMembers(out, st.Members); err != nil {
		return err
	}
	var rows [][]string
	for i := range st.Shards {
		sh := &st.Shards[i]
		rows = append(rows, []string{
			strconv.FormatUint(sh.ID, 10), shardName(sh), boundary(sh.StartKey, sh.Keyspace),
			boundary(sh.EndKey, sh.Keyspace), leaderName(sh.LeaderID, st.Members),
			strconv.FormatInt(sh.Keys, 10), strconv.FormatInt(sh.Bytes, 10),
			strconv.FormatInt(sh.Intents, 10), strconv.FormatUint(sh.Applied, 10),
			lags(sh.Replicas),
		})
	}
	return printTable(out, []string{
		"SHARD", "KEYSPACE", "FROM", "TO", "LEADER", "KEYS", "BYTES", "INTENTS", "APPLIED", "LAG",
	}, rows)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// leaderName is the member that leads, and whether it can.
func leaderName(id uint64, members []client.MemberStatus) string {
	if id == 0 {
		return "-"
	}
	name := strconv.FormatUint(id, 10)
	for i := range members {
		if members[i].ID == id && members[i].Down != "" {
			name += " (down)"
		}
	}
	return name
}

// lags is how far each copy of a shard is behind, as in "1:0 2:3 3:?".
func lags(replicas []client.ReplicaStatus) string {
	var all []string
	for _, r := range replicas {
		one := strconv.FormatUint(r.Member, 10) + ":" + lag(r.Lag)
		if r.Learner {
			one += "+"
		}
		all = append(all, one)
	}
	return strings.Join(all, " ")
}

func lag(entries int64) string {
	if entries == client.LagUnknown {
		return "?"
	}
	return strconv.FormatInt(entries, 10)
}

func shardName(sh *client.ShardStatus) string {
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
