//go:build !faults

package run

import (
	"log/slog"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/shard/member"
)

// debug is how a debug build breaks itself (debug_faults.go). This one does not.
type debug struct{}

func newDebug(*env.Real, string, *slog.Logger) (debug, error) { return debug{}, nil }

func (debug) disk(o member.Options) member.Options { return o }

func (debug) close() error { return nil }
