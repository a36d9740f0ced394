package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// group is a command that only has others below it.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("no command %q below %s", plain(args[0]), use)
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(below...)
	return cmd
}

func newMember(s *session) *cobra.Command {
	return group("member", "Look at the members of the cluster", &cobra.Command{
		Use:   "list",
		Short: "List the members: state, what they lead, disk, lag",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				st, err := db.Status(ctx)
				if err != nil {
					return err
				}
				return s.listMembers(st.Members)
			})
		},
	})
}

func (s *session) listMembers(members []client.MemberStatus) error {
	all := []memberJSON{}
	for i := range members {
		all = append(all, newMemberJSON(&members[i]))
	}
	switch s.format {
	case "json":
		return s.printJSON(all)
	case "ndjson":
		for _, m := range all {
			if err := s.printJSON(m); err != nil {
				return err
			}
		}
		return nil
	}
	return printMembers(s.main.Stdout, members)
}

func printMembers(w io.Writer, members []client.MemberStatus) error {
	var rows [][]string
	for i := range members {
		m := &members[i]
		row := []string{
			strconv.FormatUint(m.ID, 10), orDash(m.Address), "down", "-", "-", "-", "-",
		}
		if m.Down == "" {
			row = append(row[:2], "up", strconv.FormatInt(m.Leaderships, 10),
				megabytes(m.DiskUsed), diskFree(m), lag(maxLag(m)))
		}
		rows = append(rows, row)
	}
	err := printTable(w, []string{
		"MEMBER", "ADDRESS", "STATE", "LEADS", "DISK USED", "DISK FREE", "MAX LAG",
	}, rows)
	for i := range members { // the reasons are too long for the table
		if m := &members[i]; err == nil && m.Down != "" {
			_, err = fmt.Fprintf(w, "member %d is down: %s\n", m.ID, oneLine(m.Down))
		}
	}
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func diskFree(m *client.MemberStatus) string {
	switch {
	case m.DiskFree == 0 && m.DiskTotal == 0:
		return "-"
	case m.DiskTotal == 0:
		return megabytes(m.DiskFree)
	}
	return megabytes(m.DiskFree) + " of " + megabytes(m.DiskTotal)
}

// maxLag is that of the member's copy which is furthest behind.
func maxLag(m *client.MemberStatus) int64 {
	most := int64(client.LagUnknown)
	for _, r := range m.Replicas {
		most = max(most, r.Lag)
	}
	return most
}

func newLeader(s *session) *cobra.Command {
	return group("leader", "Steer which member leads which shard", &cobra.Command{
		Use:   "transfer SHARD [MEMBER]",
		Short: "Hand the leadership of a shard to a member",
		Long: `Hand the leadership of a shard to a member, or, without one, to whichever other one has
most of the shard's log. It is done when the command ends. When a third member was faster, the
output names that one.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w := words{rest: args}
			shard, err := w.id("the shard")
			if err != nil {
				return err
			}
			to := uint64(0)
			if len(w.rest) > 0 {
				if to, err = w.id("the member"); err != nil {
					return err
				}
			}
			if err := w.done(); err != nil {
				return err
			}
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				start := time.Now()
				leader, err := db.TransferLeader(ctx, shard, to)
				if err != nil {
					return err
				}
				return s.printTransfer(shard, leader, time.Since(start))
			})
		},
	})
}

func (s *session) printTransfer(shard, leader uint64, d time.Duration) error {
	out := s.main.Stdout
	var err error
	switch s.format {
	case "json", "ndjson":
		return s.printJSON(struct {
			Shard    uint64 `json:"shard"`
			LeaderID uint64 `json:"leader_id"`
		}{shard, leader})
	case "raw":
		_, err = fmt.Fprintln(out, leader)
	case "table":
		err = printTable(out, []string{"SHARD", "LEADER"}, [][]string{
			{strconv.FormatUint(shard, 10), strconv.FormatUint(leader, 10)},
		})
	default:
		_, err = fmt.Fprintf(out, "member %d leads shard %d %s\n", leader, shard, took(d))
	}
	return err
}

// id is the next word as the number of something, from 1.
func (w *words) id(what string) (uint64, error) {
	word, err := w.next(what)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(plain(word), 10, 64)
	if err != nil || n == 0 {
		return 0, usagef("%s %q is no number from 1", what, plain(word))
	}
	return n, nil
}
