// Command cairn reads and writes a Cairn cluster from the command line. See cairn help.
package main

import (
	"os"

	"github.com/cairnkv/cairn/internal/cli"
	"github.com/cairnkv/cairn/internal/demo"
	"github.com/cairnkv/cairn/internal/run"
)

func main() {
	gateway := run.GatewayCommand(os.Stdout, os.Stderr) // what demo starts
	shard := run.ShardCommand(os.Stdout, os.Stderr)
	gateway.Hidden, shard.Hidden = true, true
	os.Exit(cli.Process(demo.Command(), gateway, shard).Run(os.Args[1:]))
}
