package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
)

// statsCommand is "mxglue stats": the figures of the daemon that runs with the same configuration.
func statsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show what the running daemon has done",
		Long: "Show what the running daemon has done since its start: what it was asked, what the cache,\n" +
			"the glue and the bundle saved, and how its upstreams do. It is asked at status.listen.",
		Args: arguments(between(0, 0)),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			return printStats(cmd.Context(), cmd.OutOrStdout(), daemonOf(config), asJSON)
		},
	}
	statusFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the JSON of /stats as it is")
	return cmd
}

func printStats(ctx context.Context, w io.Writer, daemon daemonClient, asJSON bool) error {
	text, err := daemon.ask(ctx, http.MethodGet, "/stats", nil)
	if err != nil {
		return err
	}
	var snapshot status.Snapshot
	if err := json.Unmarshal(text, &snapshot); err != nil {
		return daemon.notMxglue(err)
	}
	if asJSON {
		_, err = w.Write(text)
		return err
	}
	return status.WriteText(w, snapshot)
}
