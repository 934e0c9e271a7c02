// Command logfast is a Docker logging driver that ships server errors to S3.
package main

import (
	"os"

	"github.com/logfast/logfast/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr)) }
