package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cairnkv/cairn/bench/load"
)

// Serve measures a system, a run for each line of the input, until that ends or ctx does. Then it
// closes the system. A run that fails is answered with its error, and the next one may be asked
// for. Only the goroutine that reads outlives Serve if ctx has ended: until the input does.
func Serve(ctx context.Context, in io.Reader, out io.Writer, s System) (err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	requests := make(chan load.Run)
	go func() { cancel(receive(ctx, in, requests)) }()
	replies := json.NewEncoder(out)
	next := reply{Ready: true}
	// Nobody is there to hear how a run was given up. To tell him nevertheless could end the
	// process before its system is closed: a write to a pipe that nobody reads is a signal.
	for ctx.Err() == nil {
		if err := replies.Encode(next); err != nil {
			return fmt.Errorf("a driver answers: %w", err)
		}
		select {
		case r := <-requests:
			next = answer(ctx, s, r)
		case <-ctx.Done():
		}
	}
	if err := context.Cause(ctx); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// receive passes on what the input asks for, until it ends, which is io.EOF.
func receive(ctx context.Context, in io.Reader, requests chan<- load.Run) error {
	lines := json.NewDecoder(in)
	lines.DisallowUnknownFields()
	for {
		var q request
		if err := lines.Decode(&q); errors.Is(err, io.EOF) {
			return io.EOF
		} else if err != nil {
			return fmt.Errorf("a driver is asked: %w", err)
		}
		select {
		case requests <- q.Run:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func answer(ctx context.Context, s System, r load.Run) reply {
	res, err := measure(ctx, s, r)
	if err != nil {
		return reply{Error: err.Error()}
	}
	return reply{Result: res}
}

func measure(ctx context.Context, s System, r load.Run) (*load.Result, error) {
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	op, release, err := s.Prepare(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", r.Workload, err)
	}
	if release != nil {
		defer release()
	}
	disk, err := watchDisk(ctx, r, s.Processes())
	if err != nil {
		return nil, err
	}
	res, err := follow(ctx, s, r, op)
	longest, diskErr := disk.end()
	if err = errors.Join(err, diskErr); err != nil {
		return nil, err
	}
	res.LongestSync = longest
	return res, nil
}

// follow measures op, and what the processes use meanwhile.
func follow(ctx context.Context, s System, r load.Run, op load.Op) (*load.Result, error) {
	var begin, end map[int]load.Usage
	over := make(map[int][]load.Room)
	res, err := load.Measure(ctx, r, op, func() (err error) {
		if end, err = usages(processRoot, s.Processes()); err != nil {
			return err
		}
		if begin == nil {
			begin = end
		}
		return course(over, end)
	})
	if err != nil {
		return nil, err
	}
	for pid, u := range end {
		u.Over = over[pid]
		end[pid] = u
	}
	res.Processes, err = between(begin, end)
	return res, err
}
