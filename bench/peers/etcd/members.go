package etcd

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"go.uber.org/zap"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/bench/peers/child"
	"github.com/cairnkv/cairn/bench/peers/peer"
	"github.com/cairnkv/cairn/internal/loopback"
)

// Main is the etcd command: a member, until a signal ends it.
func Main(args []string) { etcdmain.Main(append([]string{"etcd"}, args...)) }

// Start starts members and a client of them. command begins the command line of a member: this
// program with what makes it call Main.
func Start(
	ctx context.Context, set *child.Set, command []string, members int,
) (*peer.System, error) {
	addresses, err := loopback.Free(2 * members)
	if err != nil {
		return nil, err
	}
	clients, peers := addresses[:members], addresses[members:]
	var all []string
	for i, address := range peers {
		all = append(all, fmt.Sprintf("m%d=http://%s", i+1, address))
	}
	for i := range members {
		name := fmt.Sprint("m", i+1)
		data := filepath.Join(set.Dir(), name)
		args := append(command[1:len(command):len(command)],
			"--name", name,
			"--data-dir", data,
			"--listen-client-urls", "http://"+clients[i],
			"--advertise-client-urls", "http://"+clients[i],
			"--listen-peer-urls", "http://"+peers[i],
			"--initial-advertise-peer-urls", "http://"+peers[i],
			"--initial-cluster", strings.Join(all, ","),
			"--log-level", "warn",
			"--quota-backend-bytes", fmt.Sprint(16<<30),
		)
		u := load.Usage{Role: "member", Name: name, Data: data}
		if err := set.Start(u, exec.Command(command[0], args...)); err != nil {
			return nil, err
		}
	}
	c, err := clientv3.New(clientv3.Config{
		Endpoints: clients, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("client of etcd: %w", err)
	}
	if err := set.Await(ctx, func(ctx context.Context) error { return ready(ctx, c) }); err != nil {
		_ = c.Close()
		return nil, err
	}
	return newSystem(c, set), nil
}

// ready succeeds when every member knows a leader.
func ready(ctx context.Context, c *clientv3.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, endpoint := range c.Endpoints() {
		status, err := c.Status(ctx, endpoint)
		if err != nil {
			return err
		}
		if status.Leader == 0 {
			return fmt.Errorf("%s knows no leader", endpoint)
		}
	}
	return nil
}
