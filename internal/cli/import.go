package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

const (
	// A batch has at most so many files or bytes of values; a larger file goes alone.
	batchFilesMax = 256
	batchBytesMax = 1 << 20
	// inFlightMax bounds --in-flight, and so the memory of an import.
	inFlightMax = 64
)

// importer is one run of import.
type importer struct {
	s        *session
	prefix   string
	listKey  string // of the batches' lists, up to the batch's number
	inFlight int

	db       *client.DB
	journal  *journal
	progress *progress

	mu    sync.Mutex
	files int
	bytes int64
}

func newImport(s *session) *cobra.Command {
	im := &importer{s: s}
	var journalPath string
	cmd := &cobra.Command{
		Use:   "import DIR --prefix P",
		Short: "Write every file below a directory as a key",
		Long: `Write every regular file below DIR as a key: the prefix and the file's path with slashes.
The value is the file's bytes; modes and times are not kept, and what is no regular file is
skipped. Files go in batches of at most 256 files or 1 MiB, each one atomic transaction that
also writes the list of its keys to import/PREFIX/ID/NUMBER. An import may be run again: the
same keys get the same bytes.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			rest := &words{args}
			dir, err := rest.next("the directory")
			if err != nil {
				return err
			}
			if err := rest.done(); err != nil {
				return err
			}
			return im.run(cmd.Context(), plain(dir), journalPath)
		},
	}
	f := cmd.Flags()
	f.StringVar(&im.prefix, "prefix", "", "what all keys begin with, such as go/ (required)")
	f.StringVar(&journalPath, "journal", "", "append each acknowledged file's path to this file")
	f.IntVar(&im.inFlight, "in-flight", 4, "batches under way at once, 1 to 64")
	return cmd
}

func (im *importer) run(ctx context.Context, dir, journalPath string) error {
	if err := im.check(); err != nil {
		return err
	}
	files, skipped, err := im.walk(dir)
	if err != nil {
		return err
	}
	defer func() { _ = files.root.Close() }() // only read from
	if im.journal, err = openJournal(journalPath); err != nil {
		return err
	}
	id := make([]byte, 4)
	_, _ = rand.Read(id) // never fails
	im.listKey = fmt.Sprintf("import/%s/%s-%s/", strings.TrimRight(im.prefix, "/"),
		time.Now().UTC().Format("20060102T150405Z"), hex.EncodeToString(id))
	start := time.Now()
	im.progress = newProgress(im.s.main.Stderr, files.bytes)
	err = im.s.withDB(ctx, func(ctx context.Context, db *client.DB) error {
		im.db = db
		return im.writeAll(ctx, files)
	})
	im.progress.end()
	if err := errors.Join(err, im.journal.close()); err != nil {
		return im.advise(err)
	}
	return im.summary(skipped, time.Since(start))
}

// check refuses what would put the lists among the files.
func (im *importer) check() error {
	prefix, err := unquote(im.prefix)
	if err != nil {
		return err
	}
	im.prefix = prefix
	switch {
	case prefix == "":
		return usagef("--prefix is required, such as --prefix go/")
	case strings.HasPrefix("import/"+prefix, prefix):
		return usagef("--prefix %s: the lists of batches, below import/, would lie in it",
			quoteKey(prefix))
	case im.inFlight < 1 || im.inFlight > inFlightMax:
		return usagef("--in-flight %d is not 1 to %d", im.inFlight, inFlightMax)
	}
	return nil
}

// batch is what one transaction writes.
type batch struct {
	number int
	files  []file
	bytes  int64
}

// writeAll writes batch after batch, some at once. The first failure stops
// new ones; those under way are awaited, since they may well succeed.
func (im *importer) writeAll(ctx context.Context, files *fileList) error {
	var group errgroup.Group
	var mu sync.Mutex
	var failed []error
	group.SetLimit(im.inFlight)
	for b := range files.batches() {
		mu.Lock()
		stop := len(failed) > 0 || ctx.Err() != nil
		mu.Unlock()
		if stop {
			break
		}
		group.Go(func() error {
			if err := im.write(ctx, files, b); err != nil {
				mu.Lock()
				failed = append(failed, err)
				mu.Unlock()
			}
			return nil
		})
	}
	_ = group.Wait() // all failures are in failed
	if len(failed) == 0 {
		return context.Cause(ctx)
	}
	for _, err := range failed {
		if txn.KindOf(err) == txn.Unknown {
			return err // nothing else may hide this
		}
	}
	return failed[0]
}

// write is one batch: its files and their list, in one transaction.
func (im *importer) write(ctx context.Context, files *fileList, b batch) error {
	p := client.Program{Then: make([]client.Op, 0, len(b.files)+1)}
	keys := make([]string, 0, len(b.files))
	for _, f := range b.files {
		data, err := files.read(f)
		if err != nil {
			return err
		}
		key := im.prefix + f.path
		keys = append(keys, listed(key))
		p.Then = append(p.Then, client.SetOp(key, client.BytesValue(data), client.SetOptions{}))
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%s%06d", im.listKey, b.number)
	p.Then = append(p.Then, client.SetOp(key, client.JSONValue(list), client.SetOptions{}))
	if _, err := im.db.Execute(ctx, p); err != nil {
		return err
	}
	if err := im.journal.add(b.files); err != nil {
		return err
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	im.files += len(b.files)
	im.bytes += b.bytes
	im.progress.add(b.bytes)
	return nil
}

// advise says how to go on after a lost connection.
func (im *importer) advise(err error) error {
	switch txn.KindOf(err) {
	case txn.Unavailable, txn.Deadline, txn.Unknown:
	default:
		return err
	}
	next := fmt.Sprintf("%d files were acknowledged; run the same import again:"+
		" the same keys get the same bytes", im.files)
	if a, ok := errors.AsType[*advised](err); ok {
		return &advised{err: a.err, next: a.next + "; " + next}
	}
	e, _ := errors.AsType[*txn.Error](err)
	return &advised{err: e, next: next}
}

func (im *importer) summary(skipped int, d time.Duration) error {
	seconds := max(d.Seconds(), 0.001)
	line := fmt.Sprintf("imported %d files, %s, in %.1f s (%s/s)", im.files,
		megabytes(im.bytes), d.Seconds(), megabytes(int64(float64(im.bytes)/seconds)))
	if skipped > 0 {
		line += fmt.Sprintf(", %d skipped", skipped)
	}
	_, err := fmt.Fprintln(im.s.main.Stdout, line)
	return err
}

// journal is the file that tells which files were acknowledged; nil = none.
type journal struct {
	mu   sync.Mutex
	file *os.File
}

func openJournal(path string) (*journal, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	return &journal{file: f}, nil
}

// add appends the files' paths, one a line, and returns when they are on disk.
func (j *journal) add(files []file) error {
	if j == nil {
		return nil
	}
	var lines strings.Builder
	for _, f := range files {
		lines.WriteString(quoteText(f.path) + "\n")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.WriteString(lines.String()); err != nil {
		return err
	}
	return j.file.Sync()
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}
