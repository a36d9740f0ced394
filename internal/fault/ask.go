package fault

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// askMax bounds Ask whose context has no deadline.
const askMax = 10 * time.Second

// answer is a State, or why there is none.
type answer struct {
	*State
	Error string `json:"error,omitempty"`
}

// ErrRefused says that a process does not do as it was told: it has done nothing.
var ErrRefused = errors.New("refused")

// Ask tells the debug build that listens at a unix socket what to do to itself, and answers with
// what it has done so far. The zero Command only asks. After a PowerLoss the State is empty: the
// process has ended when Ask returns.
func Ask(ctx context.Context, path string, do Command) (State, error) {
	s, err := ask(ctx, path, do)
	if err != nil {
		return State{}, fmt.Errorf("asking the debug build at %s: %w", path, err)
	}
	return s, nil
}

func ask(ctx context.Context, path string, do Command) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, askMax)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return State{}, err
	}
	defer func() { _ = conn.Close() }() // all was read, or an error says more
	if at, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(at); err != nil {
			return State{}, err
		}
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	line, err := json.Marshal(do)
	if err != nil {
		return State{}, err
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return State{}, err
	}
	line, err = bufio.NewReader(conn).ReadBytes('\n')
	gone := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	if gone && len(line) == 0 && do.PowerLoss != nil {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	got := answer{State: new(State)}
	if err := json.Unmarshal(line, &got); err != nil {
		return State{}, err
	}
	if got.Error != "" {
		return State{}, fmt.Errorf("%w: %s", ErrRefused, got.Error)
	}
	return *got.State, nil
}
