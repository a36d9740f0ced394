package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/client"
)

func newKeyspace(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keyspace",
		Short: "Create, change, delete and list keyspaces",
		Long: `Keyspaces are named sets of keys that do not see each other, each with its own options.
The keyspace "default" is always there. --keyspace says which one a command on keys means.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeyspaceCreate(s), newKeyspaceUpdate(s), newKeyspaceDelete(s),
		newKeyspaceList(s), newKeyspaceStatus(s))
	return cmd
}

// keyspaceFlags are the options of a keyspace as flags.
type keyspaceFlags struct {
	historyAge, defaultTTL                string
	historyCount, valueBytesMax, bytesMax int64
}

func (k *keyspaceFlags) declare(f *pflag.FlagSet) {
	f.StringVar(&k.historyAge, "history-age", "",
		"what is younger is kept whole: 10m or more (default 10m)")
	f.Int64Var(&k.historyCount, "history-count", 0,
		"of what is older, so many versions of a key are kept (default 16)")
	f.StringVar(&k.defaultTTL, "default-ttl", "",
		"the TTL of what is set without one; 0 = none (default 0)")
	f.Int64Var(&k.valueBytesMax, "value-bytes-max", 0, "most bytes of a value (default 4000000)")
	f.Int64Var(&k.bytesMax, "bytes-max", 0,
		"most bytes of keys and values, all versions; 0 = no limit (default 0)")
}

// update is the options that are given.
func (k *keyspaceFlags) update(f *pflag.FlagSet) (u client.KeyspaceUpdate, err error) {
	for _, d := range []struct {
		name, text string
		to         **time.Duration
	}{{"history-age", k.historyAge, &u.HistoryAge}, {"default-ttl", k.defaultTTL, &u.DefaultTTL}} {
		if !f.Changed(d.name) {
			continue
		}
		v, err := parseDuration(d.text)
		if err != nil {
			return u, err
		}
		*d.to = &v
	}
	for _, n := range []struct {
		name string
		v    *int64
		to   **int64
	}{
		{"history-count", &k.historyCount, &u.HistoryCount},
		{"value-bytes-max", &k.valueBytesMax, &u.ValueBytesMax},
		{"bytes-max", &k.bytesMax, &u.BytesMax},
	} {
		if f.Changed(n.name) {
			*n.to = n.v
		}
	}
	return u, nil
}

func given[T any](v *T) (all T) {
	if v != nil {
		all = *v
	}
	return all
}

func oneName(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return usagef("the keyspace's name is missing")
	case 1:
		return nil
	}
	return usagef("%q is one word too many", plain(args[1]))
}

func newKeyspaceCreate(s *session) *cobra.Command {
	var flags keyspaceFlags
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a keyspace; one that is there with the same options is no error",
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := flags.update(cmd.Flags())
			if err != nil {
				return err
			}
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				ks, created, err := db.CreateKeyspace(ctx, plain(args[0]), client.KeyspaceOptions{
					HistoryAge: given(u.HistoryAge), HistoryCount: given(u.HistoryCount),
					DefaultTTL: given(u.DefaultTTL), ValueBytesMax: given(u.ValueBytesMax),
					BytesMax: given(u.BytesMax)})
				if err != nil {
					return err
				}
				word := "created"
				if !created {
					word = "there already"
				}
				return s.printKeyspace(&ks, word)
			})
		},
	}
	flags.declare(cmd.Flags())
	return cmd
}

func newKeyspaceUpdate(s *session) *cobra.Command {
	var flags keyspaceFlags
	cmd := &cobra.Command{
		Use: "update NAME", Short: "Change the options that are given; what is written already stays",
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := flags.update(cmd.Flags())
			if err != nil {
				return err
			}
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				ks, err := db.UpdateKeyspace(ctx, plain(args[0]), u)
				if err != nil {
					return err
				}
				return s.printKeyspace(&ks, "updated")
			})
		},
	}
	flags.declare(cmd.Flags())
	return cmd
}

func newKeyspaceDelete(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Remove a keyspace with all its keys and all their history, for good",
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.withDB(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				deleted, err := db.DeleteKeyspace(ctx, plain(args[0]))
				if err != nil {
					return err
				}
				word := "deleted"
				if !deleted {
					word = "not found"
				}
				if err := s.printKeyspaceWord(plain(args[0]), word); err != nil || deleted {
					return err
				}
				return errNotMet
			})
		},
	}
}

func newKeyspaceList(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all keyspaces and their options", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				all, err := db.Keyspaces(ctx)
				if err != nil {
					return err
				}
				return s.printKeyspaces(all)
			})
		},
	}
}

func newKeyspaceStatus(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "status [NAME]", Short: "Say what is in a keyspace, the one of --keyspace by default",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "" // the one of the connection
			if len(args) > 0 {
				name = plain(args[0])
			}
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				st, err := db.Keyspace(ctx, name)
				if err != nil {
					return err
				}
				return s.printKeyspaceStatus(&st)
			})
		},
	}
}

func keyspaceObject(k *client.Keyspace) *object {
	o := newObject()
	o.put("name", k.Name)
	o.put("history_age_ms", k.HistoryAge.Milliseconds())
	o.put("history_count", k.HistoryCount)
	o.put("default_ttl_ms", k.DefaultTTL.Milliseconds())
	o.put("value_bytes_max", k.ValueBytesMax)
	o.put("bytes_max", k.BytesMax)
	o.put("deleting", k.Deleting)
	o.put("full", k.Full)
	return o
}

// printKeyspace says what was done to one.
func (s *session) printKeyspace(k *client.Keyspace, word string) error {
	switch s.format {
	case "json", "ndjson":
		o := keyspaceObject(k)
		o.put("result", word)
		return s.printJSON(o)
	}
	return s.printKeyspaceWord(k.Name, word)
}

func (s *session) printKeyspaceWord(name, word string) (err error) {
	switch s.format {
	case "json", "ndjson":
		o := newObject()
		o.put("name", name)
		o.put("result", word)
		return s.printJSON(o)
	case "table":
		return printTable(s.main.Stdout, []string{"KEYSPACE", "RESULT"}, [][]string{{name, word}})
	case "raw":
		_, err = fmt.Fprintln(s.main.Stdout, name)
	default:
		_, err = fmt.Fprintf(s.main.Stdout, "%s %s\n", name, word)
	}
	return err
}

// printKeyspaces prints text as a table too; raw is the names.
func (s *session) printKeyspaces(all []client.Keyspace) error {
	objects, rows := []*object{}, [][]string(nil)
	for i := range all {
		k := &all[i]
		objects = append(objects, keyspaceObject(k))
		rows = append(rows, []string{k.Name, k.HistoryAge.String(), count(k.HistoryCount),
			orNone(k.DefaultTTL != 0, k.DefaultTTL.String()), count(k.ValueBytesMax),
			orNone(k.BytesMax != 0, count(k.BytesMax)), keyspaceState(k)})
	}
	switch s.format {
	case "json":
		return s.printJSON(objects)
	case "ndjson":
		for _, o := range objects {
			if err := s.printJSON(o); err != nil {
				return err
			}
		}
		return nil
	case "raw":
		for i := range all {
			if _, err := fmt.Fprintln(s.main.Stdout, all[i].Name); err != nil {
				return err
			}
		}
		return nil
	}
	return printTable(s.main.Stdout, []string{"KEYSPACE", "HISTORY AGE", "HISTORY COUNT",
		"DEFAULT TTL", "VALUE BYTES MAX", "BYTES MAX", "STATE"}, rows)
}

func (s *session) printKeyspaceStatus(st *client.KeyspaceStatus) error {
	switch s.format {
	case "json", "ndjson":
		o := keyspaceObject(&st.Keyspace)
		o.put("keys", st.Keys)
		o.put("bytes", st.Bytes)
		o.put("versions", st.Versions)
		o.put("oldest_ts", int64(st.Oldest))
		return s.printJSON(o)
	case "raw":
		_, err := fmt.Fprintln(s.main.Stdout, st.Keys)
		return err
	}
	limit := ""
	if st.BytesMax != 0 {
		limit = " of " + count(st.BytesMax)
	}
	return printTable(s.main.Stdout,
		[]string{"KEYSPACE", "KEYS", "BYTES", "VERSIONS", "OLDEST", "STATE"},
		[][]string{{st.Name, count(st.Keys), count(st.Bytes) + limit, count(st.Versions),
			st.Oldest.Time().UTC().Format(time.RFC3339), keyspaceState(&st.Keyspace)}})
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func orNone(there bool, text string) string {
	if !there {
		return "none"
	}
	return text
}

func keyspaceState(k *client.Keyspace) string {
	switch {
	case k.Deleting:
		return "deleting"
	case k.Full:
		return "full"
	}
	return "ok"
}
