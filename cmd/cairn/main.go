// Command cairn reads and writes a Cairn cluster from the command line. See cairn help.
package main

import (
	"os"

	"github.com/cairnkv/cairn/internal/cli"
)

func main() { os.Exit(cli.Process().Run(os.Args[1:])) }
