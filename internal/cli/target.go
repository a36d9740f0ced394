package cli

import (
	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// target is where a command finds its keys, and why it changes them.
type target struct {
	ephemeral bool
	message   string
}

func (t *target) readFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&t.ephemeral, "ephemeral", false,
		"keys in memory: a namespace of their own, see cairn help eset")
}

func (t *target) writeFlags(cmd *cobra.Command) {
	t.readFlags(cmd)
	t.messageFlag(cmd)
}

func (t *target) messageFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.message, "message", "", "why, for the history of what is written")
}

func (t *target) of(db *client.DB) *client.KV {
	if t.ephemeral {
		return db.Ephemeral()
	}
	return &db.KV
}

// inMemory makes a command the twin for ephemeral keys.
func inMemory(cmd *cobra.Command, use string, aliases ...string) *cobra.Command {
	cmd.Short = "Like " + cmd.Name() + ", for a key in memory"
	cmd.Long = cmd.Short + `: it is gone when the leader of its shard changes, and when other keys in
memory are used more. It is another key than the one of the same name on disk. It has no history,
no listings, and is in no transaction.`
	cmd.Use, cmd.Aliases = use, aliases
	cmd.ValidArgsFunction = cobra.NoFileCompletions // nobody can list them
	f := cmd.Flags().Lookup("ephemeral")
	f.Hidden = true
	_ = f.Value.Set("true") // a bool takes that
	for _, name := range []string{
		"limit", "reverse", "keys-only", "prefix", "glob", "dry-run", "batched", "norev", "message",
	} {
		if f := cmd.Flags().Lookup(name); f != nil {
			f.Hidden = true
		}
	}
	return cmd
}

// chosen are the flags that select keys.
type chosen struct{ prefix, glob string }

func (c *chosen) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.prefix, "prefix", "", `all keys that begin with it; "" is all keys`)
	cmd.Flags().StringVar(&c.glob, "glob", "", "of those, the keys that match: * ? [a-z] [!x]")
}

// given reports whether keys are selected at all.
func (c *chosen) given(cmd *cobra.Command) bool {
	return cmd.Flags().Changed("prefix") || cmd.Flags().Changed("glob")
}

func (c *chosen) keys() (r client.Range, err error) {
	prefix, err := unquote(c.prefix)
	if err != nil {
		return r, err
	}
	r = client.Prefix(prefix)
	r.Glob, err = unquote(c.glob)
	return r, err
}
