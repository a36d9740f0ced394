package nats

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/bench/peers/child"
	"github.com/cairnkv/cairn/bench/peers/peer"
	"github.com/cairnkv/cairn/internal/loopback"
)

// Main is the nats-server command: a server, until a signal ends it.
func Main(args []string) {
	f := flag.NewFlagSet("nats-server", flag.ExitOnError)
	opts, err := server.ConfigureOptions(f, args, server.PrintServerAndExit, f.Usage, f.Usage)
	if err != nil {
		server.PrintAndDie(err.Error())
	}
	s, err := server.NewServer(opts)
	if err != nil {
		server.PrintAndDie(err.Error())
	}
	s.ConfigureLogger()
	if err := server.Run(s); err != nil {
		server.PrintAndDie(err.Error())
	}
	s.WaitForShutdown()
}

// Options say what to start.
type Options struct {
	Members int
	// Sync syncs every write before it is acknowledged; else as NATS does by default, every two
	// minutes.
	Sync bool
}

// Start starts servers, a bucket and a connection. command begins the command line of a server:
// this program with what makes it call Main.
func Start(ctx context.Context, set *child.Set, command []string, o Options) (*peer.System, error) {
	addresses, err := loopback.Free(2 * o.Members)
	if err != nil {
		return nil, err
	}
	clients, routes := addresses[:o.Members], addresses[o.Members:]
	for i := range o.Members {
		name := fmt.Sprint("m", i+1)
		data := filepath.Join(set.Dir(), name)
		config := data + ".conf"
		text := configuration(data, o)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return nil, err
		}
		args := append(command[1:len(command):len(command)],
			"--name", name, "--config", config, "--addr", "127.0.0.1", "--port", port(clients[i]))
		if o.Members > 1 {
			args = append(args, "--cluster_name", "bench", "--cluster", "nats://"+routes[i],
				"--routes", "nats://"+strings.Join(routes, ",nats://"))
		}
		u := load.Usage{Role: "member", Name: name, Data: data}
		if err := set.Start(u, exec.Command(command[0], args...)); err != nil {
			return nil, err
		}
	}
	return connect(ctx, set, clients)
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

func configuration(dir string, o Options) string {
	sync := ""
	if o.Sync {
		sync = "\n  sync_interval: always"
	}
	return fmt.Sprintf("jetstream {\n  store_dir: %q%s\n}\n", dir, sync)
}

func connect(ctx context.Context, set *child.Set, clients []string) (*peer.System, error) {
	var c *nats.Conn
	var bucket jetstream.KeyValue
	err := set.Await(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		var err error
		if c == nil {
			if c, err = nats.Connect("nats://" + strings.Join(clients, ",nats://")); err != nil {
				c = nil
				return err
			}
		}
		js, err := jetstream.New(c)
		if err != nil {
			return err
		}
		bucket, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: "bench", Replicas: len(clients), Storage: jetstream.FileStorage,
		})
		return err
	})
	if err != nil {
		if c != nil {
			c.Close()
		}
		return nil, err
	}
	return newSystem(c, bucket, set), nil
}
