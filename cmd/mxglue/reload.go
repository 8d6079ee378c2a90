package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
)

// reloadCommand is "mxglue reload".
func reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Make the running daemon read its configuration anew",
		Long: "Make the running daemon read anew the configuration that it was started with, as SIGHUP does. Cache, sockets\n" +
			"and figures stay. Of a configuration with a mistake in it the daemon takes over nothing, and the mistake is\n" +
			"told here, with exit code 1. The daemon is told so at status.listen.",
		Args: arguments(between(0, 0)),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := loadConfig(cmd.Flags())
			if err != nil {
				return exitError{exitFailed, fmt.Errorf("%w\nthe daemon has not been told", err)}
			}
			return tellReload(cmd.Context(), cmd.OutOrStdout(), daemonOf(config))
		},
	}
	statusFlags(cmd)
	return cmd
}

// tellReload tells the daemon, and prints what came of it.
func tellReload(ctx context.Context, w io.Writer, daemon daemonClient) error {
	text, err := daemon.ask(ctx, http.MethodPost, "/reload", nil)
	if err != nil {
		return err
	}
	var done status.Reloaded
	if err := json.Unmarshal(text, &done); err != nil || done.File == "" {
		return daemon.notMxglue(fmt.Errorf("to reload is answered with %.60q", text))
	}
	fmt.Fprintf(w, "reloaded: %s\n", done.File)
	if len(done.Changed) == 0 {
		fmt.Fprintln(w, "nothing has changed")
	} else {
		fmt.Fprintf(w, "changed: %s\n", strings.Join(done.Changed, ", "))
	}
	if done.Forgotten > 0 {
		fmt.Fprintf(w, "forgotten: %s replies that others are asked for now\n", status.Count(done.Forgotten))
	}
	if len(done.Restart) > 0 {
		fmt.Fprintf(w, "takes effect after a restart: %s\n", strings.Join(done.Restart, ", "))
	}
	return nil
}
