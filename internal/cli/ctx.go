package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
)

func newCtx(s *session) *cobra.Command {
	cmd := group("ctx", "Name settings, and choose which ones count",
		newCtxList(s), newCtxUse(s), newCtxSet(s), newCtxShow(s), newCtxDelete(s))
	cmd.Long = `Name settings, and choose which ones count. A setting is taken from its flag, else from
the environment, else from the context, else it has a default: cairn ctx show says which.

Contexts are in the file that CAIRN_CONFIG names, or in cairn/contexts.json below the directory
for such files (XDG_CONFIG_HOME, or ~/.config). Only its owner can read it.`
	return cmd
}

// contextArg is the one word of a command on a context.
func contextArg(args []string) (string, error) {
	rest := &words{args}
	name, err := rest.next("the name of the context")
	if err != nil {
		return "", err
	}
	if name = plain(name); !contextName.MatchString(name) {
		return "", usagef("%q is no name of a context: 1 to 64 of a-z A-Z 0-9 _ . -", name)
	}
	return name, rest.done()
}

// onContext is a command that changes one context of the file.
func (s *session) onContext(
	use, short string, change func(*contexts, string) error,
) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, ValidArgsFunction: s.contextNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := contextArg(args)
			if err != nil {
				return err
			}
			file, err := s.readContexts()
			if err != nil {
				return err
			}
			if err := change(&file, name); err != nil {
				return err
			}
			return s.writeContexts(file)
		},
	}
}

func newCtxUse(s *session) *cobra.Command {
	return s.onContext("use NAME", "Make a context the one that counts",
		func(file *contexts, name string) error {
			if file.Contexts[name] == nil {
				return usagef("no context %q: cairn ctx list", name)
			}
			file.Current = name
			return nil
		})
}

func newCtxDelete(s *session) *cobra.Command {
	cmd := s.onContext("delete NAME", "Forget a context",
		func(file *contexts, name string) error {
			if file.Contexts[name] == nil {
				return usagef("no context %q: cairn ctx list", name)
			}
			delete(file.Contexts, name)
			if file.Current == name {
				file.Current = ""
			}
			return nil
		})
	cmd.Aliases = []string{"rm"}
	return cmd
}

func newCtxSet(s *session) *cobra.Command {
	cmd := s.onContext(
		"set NAME [--endpoint U] [--token T] [--cacert F] [--keyspace K] [--principal P]",
		"Write the settings that are given into a context; an empty one is removed",
		func(file *contexts, name string) error {
			values := file.Contexts[name]
			if values == nil {
				values = make(map[string]string)
			}
			for _, one := range settingList {
				if !s.flags.Changed(one.name) {
					continue
				}
				if values[one.name] = s.flag(one.name); values[one.name] == "" {
					delete(values, one.name)
				}
			}
			if file.Contexts[name] = values; len(file.Contexts) == 1 {
				file.Current = name
			}
			return nil
		})
	cmd.Long = cmd.Short + ". The first context that there is becomes the one that counts."
	return cmd
}

func newCtxList(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the contexts; the one that counts has a star", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			file, err := s.readContexts()
			if err != nil {
				return err
			}
			p := s.newPrinter("CURRENT", "CONTEXT", "ENDPOINT", "KEYSPACE")
			for _, name := range slices.Sorted(maps.Keys(file.Contexts)) {
				star, values := " ", file.Contexts[name]
				if name == file.Current {
					star = "*"
				}
				o := newObject()
				o.put("name", name)
				o.put("current", name == file.Current)
				for _, one := range settingList {
					if value := values[one.name]; value != "" && !one.secret {
						o.put(one.name, value)
					}
				}
				err := p.add(line{
					text: fmt.Sprintf("%s %s %s", star, name, orDash(values["endpoint"])),
					raw:  []byte(name), object: o,
					row: []string{star, name, orDash(values["endpoint"]), orDash(values["keyspace"])},
				})
				if err != nil {
					return err
				}
			}
			return p.end()
		},
	}
}

func newCtxShow(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "show [NAME]", Short: "Show the settings that count, and where each is from",
		Long: `Show the settings that count, and where each is from; with a name, those that would if that
context did. Tokens are not shown.`,
		ValidArgsFunction: s.contextNames,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				name, err := contextArg(args)
				if err != nil {
					return err
				}
				if err := s.flags.Set("context", name); err != nil {
					return err
				}
			}
			all, err := s.resolve()
			if err != nil {
				return err
			}
			return s.printSettings(all)
		},
	}
}

func (s *session) printSettings(all settings) error {
	p := s.newPrinter("SETTING", "VALUE", "FROM")
	for _, one := range settingList {
		value, from := all.values[one.name], all.from[one.name]
		if one.secret && value != "" {
			value = "(not shown)"
		}
		o := newObject()
		o.put("setting", one.name)
		o.put("value", value)
		o.put("from", from)
		err := p.add(line{
			text: fmt.Sprintf("%-9s %s (%s)", one.name, orDash(value), from),
			raw:  []byte(value), object: o, row: []string{one.name, orDash(value), from},
		})
		if err != nil {
			return err
		}
	}
	return p.end()
}
