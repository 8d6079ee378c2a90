package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/smtpprobe"
)

// The exit codes of check, as Nagios plugins have them.
const (
	exitAllSay220  = 0
	exitSomeSay220 = 1 // warning
	exitNoneSays   = 2 // critical
	exitUnknown    = 3 // our own DNS, network, or command line
)

// checkCommand is "mxglue check": the MX tester.
func checkCommand() *cobra.Command {
	var asJSON, first bool
	cmd := &cobra.Command{
		Use:   "check DOMAIN...",
		Short: "Tell which MX hosts of a domain greet with 220",
		Long: "Connect to the MX hosts of each DOMAIN (also user@domain, also with umlauts) in the order a mail server\n" +
			"would, read the greeting, say EHLO and QUIT, and tell who takes the mail now.\n\n" +
			"Exit code: 0 every MX host says 220; 1 some do, or not on every address; 2 none does; 3 unknown, because\n" +
			"our own DNS, network or command line failed. Of several domains the worst: 0, then 1, 3, 2.",
		Example: "  mxglue check example.com\n  mxglue check --json user@example.com | jq .takes_mail",
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, domains []string) error {
			config, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			prober, questions, err := newProber(config)
			if err != nil {
				return err
			}
			defer questions.Close()
			prober.First = first
			write := writeReport
			if asJSON {
				write = writeJSON
			}
			if code := checkAll(cmd.Context(), prober, domains, func(r smtpprobe.Report) { write(cmd.OutOrStdout(), r) }); code != exitAllSay220 {
				return exitError{code: code}
			}
			return nil
		},
	}
	checkFlags(cmd)
	cmd.Flags().BoolVar(&first, "first", false, "stop at the first 220 of each domain")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line for each domain")
	return cmd
}

// newProber wires the tester to a resolver of its own, with the daemon's configuration, which is to be closed.
func newProber(config Config) (*smtpprobe.Prober, *resolver.Resolver, error) {
	if err := config.findUpstreams(nil); err != nil { // the daemon of this host may well be one
		return nil, nil, err
	}
	_, questions, err := newResolver(config, newLogger(config))
	if err != nil {
		return nil, nil, err
	}
	p := &smtpprobe.Prober{Exchange: questions.Exchange, Options: smtpprobe.Options{
		Helo: config.SMTPProbe.HELO, Port: config.SMTPProbe.Port, AllowPrivate: config.SMTPProbe.AllowPrivate,
	}}
	p.Timeouts.Address = config.SMTPProbe.Timeout
	return p, questions, nil
}

// checkAll probes the domains one after the other and returns the worst exit code.
func checkAll(ctx context.Context, p *smtpprobe.Prober, domains []string, show func(smtpprobe.Report)) int {
	worst := exitAllSay220
	for _, d := range domains {
		r := p.Probe(ctx, d)
		show(r)
		if severity(r.ExitCode()) > severity(worst) {
			worst = r.ExitCode()
		}
	}
	return worst
}

// severity orders exit codes: a domain that certainly gets no mail is worse than one we could not look at.
func severity(code int) int {
	return [...]int{exitAllSay220: 0, exitSomeSay220: 1, exitUnknown: 2, exitNoneSays: 3}[code]
}

func writeJSON(w io.Writer, r smtpprobe.Report) {
	json.NewEncoder(w).Encode(r) // a Report always encodes; a closed pipe has nobody to tell
}
