package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

const (
	// completionsMax is how many keys a shell is offered at once.
	completionsMax = 100
	// completionWait bounds how long somebody who pressed TAB waits for nothing.
	completionWait = time.Second
)

// completesKeys lets shells complete a command's words with keys.
func (s *session) completesKeys(cmd *cobra.Command) *cobra.Command {
	cmd.ValidArgsFunction = func(
		cmd *cobra.Command, _ []string, begun string,
	) ([]cobra.Completion, cobra.ShellCompDirective) {
		return s.keysFrom(cmd.Context(), begun), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// keysFrom are keys that begin with what was typed; none where nobody answers.
func (s *session) keysFrom(ctx context.Context, begun string) (found []cobra.Completion) {
	if strings.HasPrefix(begun, `"`) { // the rest of a literal is anybody's guess
		return nil
	}
	o, err := s.options()
	if err != nil {
		return nil
	}
	db, err := client.New(o)
	if err != nil {
		return nil
	}
	defer db.Close()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionWait)
	defer cancel()
	r := client.Prefix(begun)
	r.KeysOnly, r.Limit = true, completionsMax
	for e, err := range db.Scan(ctx, r) {
		if err != nil {
			return found
		}
		if quoteKey(e.Key) == e.Key {
			found = append(found, e.Key)
		}
	}
	return found
}

func (s *session) contextNames(
	*cobra.Command, []string, string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	file, err := s.readContexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(file.Contexts)), cobra.ShellCompDirectiveNoFileComp
}

// completeFlags lets shells complete the values of the flags that all commands have, which exist.
func (s *session) completeFlags(root *cobra.Command) {
	_ = root.RegisterFlagCompletionFunc("context", s.contextNames)
	_ = root.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}
