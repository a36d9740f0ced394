//go:build faults

package run

import (
	"log/slog"
	"os"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/internal/fault/disk"
	"github.com/cairnkv/cairn/shard/member"
)

// debug is how a debug build breaks itself. Unless its environment asks for that
// it is as any other.
type debug struct {
	control *fault.Control
	fs      *disk.FS
}

// newDebug begins to listen for commands. The data directory is "" in a process
// that has none.
func newDebug(e *env.Real, data string, log *slog.Logger) (d debug, err error) {
	o := fault.Options{Socket: os.Getenv(fault.SocketEnv), First: os.Getenv(fault.FirstEnv),
		Clock: e.Drift(), Log: log}
	if o.Socket == "" && o.First == "" {
		return d, nil
	}
	log.Warn("this is a debug build: it breaks itself when it is told to", "socket", o.Socket)
	if data != "" {
		if d.fs, err = disk.New(data); err != nil {
			return d, err
		}
		o.SetDisk, o.CountDisk, o.LosePower = d.fs.Set, d.fs.Count, d.fs.LosePower
	}
	d.control, err = fault.Start(o)
	return d, err
}

// disk puts a member on the disk that can break.
func (d debug) disk(o member.Options) member.Options {
	if d.fs != nil {
		o.FS, o.Watched, o.DiskSpace = d.fs, true, d.fs.Space
	}
	return o
}

func (d debug) close() error {
	if d.control == nil {
		return nil
	}
	return d.control.Close()
}
