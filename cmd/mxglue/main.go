// Command mxglue is the nameserver that a mail server points at, and the tester of its MX hosts.
//
// main.go has the commands and their exit codes, one file per command what it does, wire.go builds the parts that
// commands share, config*.go reads config.yaml.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:]))
}

// The exit codes of all commands but check, whose codes are its verdicts.
const (
	exitOK     = 0
	exitFailed = 1
	exitConfig = 2
)

// exitError is an error with an exit code of its own. Its text may be empty: then everything has been said.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// rootCommand is mxglue with all its commands.
func rootCommand(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "mxglue",
		Short: "The nameserver that a mail server points at, and the tester of its MX hosts",
		Long: "mxglue answers DNS for a mail server on this host. It asks your resolver, and when an MX answer passes it\n" +
			"has the addresses of all its hosts at hand before the mail server asks for them one after the other.\n" +
			"mxglue check tells what the MX hosts of a domain do to mail.",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetArgs(args)
	root.AddCommand(serveCommand(), checkCommand(), planCommand(), fakemxCommand(), statsCommand(), explainCommand(), doctorCommand(),
		flushCommand(), dumpCommand(), configCommand(), reloadCommand())
	root.AddCommand(packaging()...)
	root.SetFlagErrorFunc(wrongFlag)
	return root
}

// run executes the command line and returns the exit code.
func run(ctx context.Context, args []string) int {
	cmd, err := execute(ctx, args)
	if err == nil {
		return exitOK
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "mxglue:", text)
	}
	return exitCode(cmd, err)
}

// execute executes the command line and returns the command that it was about.
func execute(ctx context.Context, args []string) (*cobra.Command, error) {
	cmd, err := rootCommand(args).ExecuteContextC(ctx)
	if err != nil && !cmd.HasParent() && !errors.As(err, new(exitError)) { // the root has no work: there is no such command
		err = wrongUsage(cmd, errors.New(strings.TrimRight(err.Error(), "\n")))
	}
	return cmd, err
}

// exitCode turns an error into the exit code. For check whatever keeps it from looking at the domain is unknown, as
// monitoring systems understand it, and never critical.
func exitCode(cmd *cobra.Command, err error) int {
	var own exitError
	var config ConfigError
	switch {
	case errors.As(err, &own) && (own.err == nil || cmd.Name() != "check"):
		return own.code
	case cmd.Name() == "check":
		return exitUnknown
	case errors.As(err, &config):
		return exitConfig
	}
	return exitFailed
}

// version is the module's version from the build, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
