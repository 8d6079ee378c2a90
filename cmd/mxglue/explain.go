package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/smtpprobe"
)

// explainCommand is "mxglue explain".
func explainCommand() *cobra.Command {
	var asJSON, ask bool
	cmd := &cobra.Command{
		Use:   "explain DOMAIN",
		Short: "Show what the running daemon knows of a domain's mail hosts, and what a mail server would do with it",
		Long: "Show what the running daemon knows of the MX hosts of a domain (also user@domain, also with umlauts), their\n" +
			"addresses and TLSA records: where each came from and when, how long it lasts and whom it answers; what is\n" +
			"missing, what was refused, which upstream would be asked, and what Postfix would do. Nothing is asked\n" +
			"upstream without --ask. The daemon is asked at status.listen.\n\n" +
			"Exit code: 0; 1 nothing is known of the domain, or there is no daemon; 2 usage.",
		Example: "  mxglue explain example.com\n  mxglue explain --ask example.com\n  mxglue explain --json example.com | jq .postfix",
		Args:    arguments(between(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			domain, err := smtpprobe.ParseDomain(args[0])
			if err != nil {
				return exitError{exitConfig, err}
			}
			method := http.MethodGet
			if ask {
				method = http.MethodPost
			}
			return explain(cmd.Context(), cmd.OutOrStdout(), daemonOf(config), method, domain, asJSON)
		},
	}
	statusFlags(cmd)
	cmd.Flags().BoolVar(&ask, "ask", false, "ask upstream for what is missing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the JSON of /explain as it is")
	return cmd
}

func explain(ctx context.Context, w io.Writer, daemon daemonClient, method, domain string, asJSON bool) error {
	text, err := daemon.ask(ctx, method, "/explain", url.Values{"name": {domain}})
	if err != nil {
		return err
	}
	var e status.Explanation
	if err := json.Unmarshal(text, &e); err != nil {
		return daemon.notMxglue(err)
	}
	if e.Domain == "" {
		return daemon.notMxglue(fmt.Errorf("to explain is answered with %.60q", text))
	}
	switch {
	case asJSON:
		if _, err := w.Write(text); err != nil || e.Known {
			return err
		}
		return exitError{code: exitFailed}
	case e.Known:
		return status.WriteExplanation(w, e)
	case method == http.MethodPost:
		return fmt.Errorf("nothing is known of %s, and no answer came from upstream: see mxglue stats", domain)
	}
	return fmt.Errorf("nothing is known of %s; nobody has asked (--ask asks upstream now)", domain)
}

// explains is the daemon's end of explain.
func explains(questions *resolver.Resolver) func(context.Context, string, bool) (resolver.Explanation, error) {
	return func(ctx context.Context, text string, ask bool) (resolver.Explanation, error) {
		domain, err := smtpprobe.ParseDomain(text)
		if err != nil {
			return resolver.Explanation{}, err
		}
		return questions.Explain(ctx, domain, ask), nil
	}
}
