package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/bench/peers/child"
	"github.com/cairnkv/cairn/bench/peers/peer"
	"github.com/cairnkv/cairn/internal/loopback"
)

// connectionsMax is what remains of the server's default of 100 without those it reserves.
const connectionsMax = 90

const schema = `create table if not exists kv (key text primary key, value bytea not null)`

// Start starts a server with an empty database and a pool of connections.
func Start(ctx context.Context, set *child.Set) (*peer.System, error) {
	program, err := exec.LookPath("postgres")
	if err != nil {
		return nil, fmt.Errorf("install PostgreSQL to measure it: %w", err)
	}
	owner, err := credential()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(set.Dir(), "postgres")
	if err := initialize(ctx, data, owner); err != nil {
		return nil, err
	}
	addresses, err := loopback.Free(1)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "-D", data, "-h", host, "-p", port, "-k", data)
	cmd.Dir, cmd.SysProcAttr = data, &syscall.SysProcAttr{Credential: owner}
	u := load.Usage{Role: "server", Name: "postmaster", Data: data}
	if err := set.Start(u, cmd); err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(fmt.Sprintf(
		"postgres://bench@%s/postgres?sslmode=disable&pool_max_conns=%d", addresses[0], connectionsMax))
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := set.Await(ctx, func(ctx context.Context) error {
		_, err := pool.Exec(ctx, schema)
		return err
	}); err != nil {
		pool.Close()
		return nil, err
	}
	return newSystem(pool, set), nil
}

// credential is whom the server runs as: nil for the user of this process.
func credential() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// initialize makes the data directory; its owner must be able to come to it.
func initialize(ctx context.Context, data string, owner *syscall.Credential) error {
	program, err := exec.LookPath("initdb")
	if err != nil {
		return fmt.Errorf("install PostgreSQL to measure it: %w", err)
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	if owner != nil {
		err := errors.Join(os.Chown(data, int(owner.Uid), int(owner.Gid)),
			os.Chmod(filepath.Dir(data), 0o711))
		if err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, program, "-D", data, "-U", "bench", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C")
	cmd.Dir, cmd.SysProcAttr = data, &syscall.SysProcAttr{Credential: owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		text := strings.TrimSpace(string(out))
		if errors.Is(err, os.ErrPermission) {
			text = "the user postgres must be able to come to " + data
		}
		return fmt.Errorf("initdb: %w: %s", err, text)
	}
	return nil
}
