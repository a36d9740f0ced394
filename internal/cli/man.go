package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands into a directory",
		RunE: func(cmd *cobra.Command, args []string) error {
			rest := &words{args}
			dir, err := rest.next("the directory")
			if err != nil {
				return err
			}
			if err := rest.done(); err != nil {
				return err
			}
			dir = plain(dir)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // the same program writes the same pages
			header := &doc.GenManHeader{Title: "CAIRN", Section: "1", Source: "cairn " + s.main.version()}
			if err := doc.GenManTree(root, header, dir); err != nil {
				return err
			}
			pages, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.main.Stdout, "%d pages in %s\n", len(pages), dir)
			return err
		},
	}
}
