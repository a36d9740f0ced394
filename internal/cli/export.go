package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// exporter is one run of export.
type exporter struct {
	s      *session
	prefix string
	force  bool
	asOf   string

	dir      string
	root     *os.Root
	temp     string // name of the file that is being written
	progress *progress
	made     string // directory that the last file went to, known to exist
	files    int
	bytes    int64
}

func newExport(s *session) *cobra.Command {
	ex := &exporter{s: s}
	cmd := &cobra.Command{
		Use:   "export DIR --prefix P",
		Short: "Write every key of a prefix as a file",
		Long: `Write every key that begins with the prefix as a file below DIR, whose path is the key
without the prefix, from one snapshot. Keys that are no paths inside DIR, such as those with
an empty segment or .., are refused. DIR must be empty or new, unless --force is given: then
files of the same names are replaced, and others stay.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			rest := &words{args}
			dir, err := rest.next("the directory")
			if err != nil {
				return err
			}
			if err := rest.done(); err != nil {
				return err
			}
			ex.dir = plain(dir)
			return ex.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVar(&ex.prefix, "prefix", "", "what the keys begin with; files are named by the rest")
	f.StringVar(&ex.asOf, "as-of", "", "a commit_ts, 2026-01-02T15:04:05Z, or 5m for 5m ago")
	f.BoolVar(&ex.force, "force", false, "write into a directory that is not empty")
	return cmd
}

func (ex *exporter) run(cmd *cobra.Command) (err error) {
	if !cmd.Flags().Changed("prefix") {
		return usagef(`--prefix is required; --prefix "" is all keys`)
	}
	if ex.prefix, err = unquote(ex.prefix); err != nil {
		return err
	}
	r := client.Prefix(ex.prefix)
	if ex.asOf != "" {
		if r.AsOf, err = parseTime(ex.asOf, time.Now()); err != nil {
			return err
		}
	}
	ex.temp = ".cairn-export-" + rand.Text()
	start := time.Now()
	err = ex.s.withDB(cmd.Context(), func(ctx context.Context, db *client.DB) error {
		return ex.writeAll(ctx, db, r)
	})
	if err != nil {
		return err
	}
	seconds := max(time.Since(start).Seconds(), 0.001)
	_, err = fmt.Fprintf(ex.s.main.Stdout, "exported %d files, %s, in %.1f s (%s/s)\n", ex.files,
		megabytes(ex.bytes), seconds, megabytes(int64(float64(ex.bytes)/seconds)))
	return err
}

func (ex *exporter) writeAll(ctx context.Context, db *client.DB, r client.Range) (err error) {
	defer func() {
		if ex.root != nil {
			err = errors.Join(err, ex.root.Close())
		}
	}()
	ex.progress = newProgress(ex.s.main.Stderr, -1)
	defer ex.progress.end()
	for e, err := range db.Scan(ctx, r) {
		if err != nil {
			return err
		}
		if err := ex.open(); err != nil {
			return err
		}
		if err := ex.write(e); err != nil {
			return err
		}
	}
	return ex.open() // also where there is no key: DIR is made, and refused if it is not empty
}

// open makes the directory, once the first answer is there: an export that
// reaches nobody leaves nothing behind.
func (ex *exporter) open() error {
	if ex.root != nil {
		return nil
	}
	if err := os.MkdirAll(ex.dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(ex.dir)
	if err != nil {
		return err
	}
	ex.root = root
	if ex.force {
		return nil
	}
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(1)
	if closed := d.Close(); closed != nil {
		return closed
	}
	if len(names) > 0 {
		return fmt.Errorf("%s is not empty; name another directory, or add --force", ex.dir)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// write writes one key as a file, which appears whole or not at all.
func (ex *exporter) write(e client.Entry) error {
	name := strings.TrimPrefix(e.Key, ex.prefix)
	if err := checkPath(e.Key, name); err != nil {
		return err
	}
	if dir := path.Dir(name); dir != "." && dir != ex.made {
		if err := ex.root.MkdirAll(dir, 0o755); err != nil {
			return ex.clash(e.Key, err)
		}
		ex.made = dir
	}
	data := valueBytes(e.Value)
	if err := ex.root.WriteFile(ex.temp, data, 0o644); err != nil {
		return errors.Join(err, ex.root.Remove(ex.temp))
	}
	if err := ex.root.Rename(ex.temp, name); err != nil {
		return errors.Join(ex.clash(e.Key, err), ex.root.Remove(ex.temp))
	}
	ex.files++
	ex.bytes += int64(len(data))
	ex.progress.add(int64(len(data)))
	return nil
}

// checkPath refuses keys that are no path inside the directory.
func checkPath(key, name string) error {
	why := ""
	switch {
	case name == "":
		why = "nothing is left without the prefix"
	case strings.HasPrefix(name, "/"):
		why = "it would be an absolute path"
	case strings.ContainsRune(name, 0):
		why = "a file name has no zero byte"
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch {
		case why != "":
		case segment == "":
			why = "it has an empty segment"
		case segment == "." || segment == "..":
			why = "it has the segment " + segment
		}
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("key %s cannot be a file: %s; export a longer prefix, or rename it",
		quoteKey(key), why)
}

// clash explains errors of keys that need one name as a file and as a directory.
func (ex *exporter) clash(key string, err error) error {
	for _, sign := range []error{
		syscall.ENOTDIR, syscall.EISDIR, syscall.EEXIST, syscall.ENOTEMPTY, fs.ErrExist,
	} {
		if errors.Is(err, sign) {
			return fmt.Errorf("key %s cannot be a file: its name, or the beginning of it, is both"+
				" a file and a directory in %s: %w", quoteKey(key), ex.dir, err)
		}
	}
	return err
}
