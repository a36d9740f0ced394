package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

// Format is that of the files this package writes. Others are refused.
const Format = 1

// File is what a run of the harness leaves.
type File struct {
	Format  int           `json:"format"`
	Began   time.Time     `json:"began"`
	Took    time.Duration `json:"took"`
	Commit  string        `json:"commit"`
	Machine string        `json:"machine"` // cores, system, compiler
	Command string        `json:"command"`
	Sides   []Side        `json:"sides"`
	// Pairs are workloads of two sides that are compared although their names differ.
	Pairs   []Pair   `json:"pairs,omitempty"`
	Samples []Sample `json:"samples"`
}

// Side is a system as it was measured. Its name is its own in a file.
type Side struct {
	Name       string `json:"name"` // "cairn", "etcd", "old"
	Version    string `json:"version"`
	Nodes      int    `json:"nodes"`           // that keep a replica
	Command    string `json:"command"`         // of the process that starts and drives it
	Procs      int    `json:"procs,omitempty"` // GOMAXPROCS of every process; 0: all cores
	Durability string `json:"durability"`      // what holds when an operation has ended
}

// Pair names a workload of the first side and one of another.
type Pair struct {
	Left  string `json:"left"`
	Right string `json:"right"`
}

// Sample is the result of one run in one round.
type Sample struct {
	Side  string `json:"side"`
	Round int    `json:"round"` // from 1
	load.Result
}

// Read reads a file, and refuses one that cannot be compared with others.
func Read(name string) (*File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f := &File{}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("%s is no file of results: %w", name, err)
	}
	if err := f.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// Write writes the file as a whole or not at all, and makes its directory.
func (f *File) Write(name string) error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("results: %w", err)
	}
	text, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func (f *File) validate() error {
	if f.Format != Format {
		return fmt.Errorf("format %d, this program knows %d: run it again", f.Format, Format)
	}
	var errs []error
	names := make(map[string]bool)
	for _, s := range f.Sides {
		if names[s.Name] {
			errs = append(errs, fmt.Errorf("two sides are named %q", s.Name))
		}
		names[s.Name] = true
	}
	for i, s := range f.Samples {
		switch {
		case !names[s.Side]:
			errs = append(errs, fmt.Errorf("sample %d is of side %q, which is not named", i, s.Side))
		case s.Elapsed <= 0:
			errs = append(errs, fmt.Errorf("sample %d took no time", i))
		}
	}
	return errors.Join(errs...)
}

// side is the one of that name, or nil.
func (f *File) side(name string) *Side {
	i := slices.IndexFunc(f.Sides, func(s Side) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &f.Sides[i]
}

// paired reports whether two workloads of two sides are to be compared.
func (f *File) paired(left, right string) bool {
	return left == right || slices.Contains(f.Pairs, Pair{Left: left, Right: right})
}
