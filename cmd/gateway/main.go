// Command gateway starts Cairn: with no arguments, all of it in one process.
package main

import (
	"os"

	"github.com/cairnkv/cairn/internal/run"
)

func main() {
	cmd := run.GatewayCommand(os.Stdout, os.Stderr)
	os.Exit(run.Main(cmd, os.Args[1:], os.Stderr))
}
