package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/cairnkv/cairn/bench/load"
)

// course appends what processes take now to what they took before.
func course(over map[int][]load.Room, now map[int]load.Usage) error {
	for pid, u := range now {
		disk, err := size(u.Data)
		if err != nil {
			return fmt.Errorf("data of %s: %w", u.Name, err)
		}
		over[pid] = append(over[pid], load.Room{Memory: u.Memory, Disk: disk})
	}
	return nil
}

// size is that of all files below a directory, as far as they are not removed meanwhile.
func size(dir string) (sum int64, err error) {
	if dir == "" {
		return 0, nil
	}
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return present(err)
		}
		info, err := entry.Info()
		if err == nil {
			sum += info.Size()
		}
		return present(err)
	})
	return sum, err
}

// present is nil about what is gone.
func present(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
