package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cmd/mxglue/status"
)

// flushCommand is "mxglue flush".
func flushCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "flush NAME|DOMAIN...",
		Short: "Make the running daemon forget a name, a domain and its mail hosts, or everything (.)",
		Long: "Make the running daemon forget what it knows at and below each name, and of each MX answer among that the\n" +
			"addresses and TLSA records of its hosts. The name \".\" is everything. It is told so at status.listen.",
		Example: "  mxglue flush example.com\n  mxglue flush .",
		Args:    arguments(between(1, math.MaxInt)),
		RunE: func(cmd *cobra.Command, names []string) error {
			config, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			return flush(cmd.Context(), cmd.OutOrStdout(), daemonOf(config), names)
		},
	}
	statusFlags(cmd)
	return cmd
}

// flush looks at all names before the daemon forgets the first.
func flush(ctx context.Context, w io.Writer, daemon daemonClient, names []string) error {
	for i, text := range names {
		name, err := nameOrAll(text)
		if err != nil {
			return exitError{exitConfig, err}
		}
		names[i] = name
	}
	for _, name := range names {
		text, err := daemon.ask(ctx, http.MethodPost, "/flush", url.Values{"name": {name}})
		if err != nil {
			return err
		}
		var answer struct{ Flushed *int }
		if err := json.Unmarshal(text, &answer); err != nil || answer.Flushed == nil {
			return daemon.notMxglue(fmt.Errorf("to flush is answered with %.60q", text))
		}
		fmt.Fprintf(w, "%s %d forgotten\n", name, *answer.Flushed)
	}
	return nil
}

// dumpCommand is "mxglue dump".
func dumpCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "dump [NAME|DOMAIN]",
		Short: "Show what the running daemon knows of a name, of a domain, or of everything",
		Long: "Show what the running daemon has in its cache at and below a name, or everything: how it came to know it,\n" +
			"how long that lasts, and what it says. It is asked at status.listen.",
		Example: "  mxglue dump example.com\n  mxglue dump --json | jq '.[] | select(.state == \"stale\")'",
		Args:    arguments(between(0, 1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			config, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			name, err := nameOrAll(append(names, ".")[0])
			if err != nil {
				return exitError{exitConfig, err}
			}
			return dump(cmd.Context(), cmd.OutOrStdout(), daemonOf(config), name, asJSON)
		},
	}
	statusFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the JSON of /dump as it is")
	return cmd
}

func dump(ctx context.Context, w io.Writer, daemon daemonClient, name string, asJSON bool) error {
	text, err := daemon.ask(ctx, http.MethodGet, "/dump", url.Values{"name": {name}})
	if err != nil {
		return err
	}
	var known []cache.Known
	if err := json.Unmarshal(text, &known); err != nil {
		return daemon.notMxglue(err)
	}
	if asJSON {
		_, err = w.Write(text)
		return err
	}
	if len(known) == 0 {
		_, err = fmt.Fprintf(w, "nothing is known of %s\n", name)
		return err
	}
	if err := status.WriteDump(w, known); err != nil {
		return err
	}
	if len(known) == status.MaxDump {
		_, err = fmt.Fprintf(w, "These are the first %s; there may be more: name a domain.\n", status.Count(status.MaxDump))
	}
	return err
}

// nameOrAll reads the name of something in the DNS, or "." for all of it.
func nameOrAll(text string) (string, error) {
	if text == "." {
		return text, nil
	}
	kind := domainName()
	name, ok := kind.parse(text)
	if !ok {
		return "", fmt.Errorf("%s is not %s, or . for everything", show(text), kind.want)
	}
	return name, nil
}

// controls are the daemon's ends of flush and dump, and of the busiest domains.
func controls(d *status.Daemon, answers *cache.Cache) {
	d.Flush = func(domain string) (int, error) {
		name, err := nameOrAll(domain)
		if err != nil {
			return 0, err
		}
		return answers.Flush(name), nil
	}
	d.Dump = func(domain string, most int) ([]cache.Known, error) {
		name, err := nameOrAll(domain)
		if err != nil {
			return nil, err
		}
		return answers.Dump(name, most, time.Now()), nil
	}
	d.Busiest = func(most int) []status.Busy { return busyDomains(answers.Hottest(math.MaxInt), most) }
}
