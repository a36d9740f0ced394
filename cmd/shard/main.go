// Command shard starts a member by itself; gateways reach it by --shards.
package main

import (
	"os"

	"github.com/cairnkv/cairn/internal/run"
)

func main() {
	cmd := run.ShardCommand(os.Stdout, os.Stderr)
	os.Exit(run.Main(cmd, os.Args[1:], os.Stderr))
}
