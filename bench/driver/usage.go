package driver

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

const (
	processRoot = "/proc"
	// tick is the unit of the times in a process' stat: Linux has told programs nothing else since
	// 2.6, whatever its own is.
	tick = 10 * time.Millisecond
)

// usages is what processes have used since they began, and the process itself too: it makes the
// load, if it is not one of those that serve.
func usages(root string, processes map[int]load.Usage) (map[int]load.Usage, error) {
	all := maps.Clone(processes)
	if all == nil {
		all = make(map[int]load.Usage)
	}
	if _, serves := all[os.Getpid()]; !serves {
		all[os.Getpid()] = load.Usage{Role: "load", Name: "load"}
	}
	for pid, u := range all {
		if err := read(filepath.Join(root, strconv.Itoa(pid)), &u); err != nil {
			return nil, fmt.Errorf("%s (%s, process %d): %w", u.Name, u.Role, pid, err)
		}
		all[pid] = u
	}
	return all, nil
}

// between is what processes have used from one moment to another, and what memory they have then.
// A process that ended or began meanwhile is an error: the run was not of one system.
func between(begin, end map[int]load.Usage) ([]load.Usage, error) {
	var all []load.Usage
	for pid, u := range end {
		before, ok := begin[pid]
		if !ok {
			return nil, fmt.Errorf("%s (%s, process %d) began during the run", u.Name, u.Role, pid)
		}
		u.CPU -= before.CPU
		u.Written -= before.Written
		all = append(all, u)
	}
	for pid, u := range begin {
		if _, ok := end[pid]; !ok {
			return nil, fmt.Errorf("%s (%s, process %d) ended during the run", u.Name, u.Role, pid)
		}
	}
	slices.SortFunc(all, func(a, b load.Usage) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}

// read fills in what /proc says about a process: see proc(5).
func read(dir string, u *load.Usage) (err error) {
	if u.CPU, err = readCPU(filepath.Join(dir, "stat")); err != nil {
		return err
	}
	if u.Memory, err = readMemory(filepath.Join(dir, "statm")); err != nil {
		return err
	}
	u.Written, err = readWritten(filepath.Join(dir, "io"))
	if errors.Is(err, fs.ErrPermission) {
		return nil // a process of another user: only its CPU and memory are for all to see
	}
	return err
}

func readCPU(path string) (time.Duration, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in parentheses, with whatever is in it. The third one
	// is the state: a process that has ended is Z until its parent asks for it.
	_, rest, _ := strings.Cut(string(text), "(")
	rest = rest[strings.LastIndexByte(rest, ')')+1:]
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s has %d fields after the name", path, len(fields))
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return 0, errors.New("it has ended")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return time.Duration(user+system) * tick, nil
}

func readMemory(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("%s has %d fields", path, len(fields))
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return pages * int64(os.Getpagesize()), nil
}

func readWritten(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			return strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no write_bytes", path)
}
