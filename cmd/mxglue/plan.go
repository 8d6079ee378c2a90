package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/smtpprobe"
)

// planSenders are the words of --as: what Prober.Plan knows, and how a person calls it.
var planSenders = []struct{ word, name string }{{"postfix", "Postfix"}, {"exim", "Exim"}, {"rfc5321", "A sender true to RFC 5321"}}

// planCommand is "mxglue plan": whom a sender would try, in what order.
func planCommand() *cobra.Command {
	var as string
	var asJSON bool
	var selection smtpprobe.Selection
	cmd := &cobra.Command{
		Use:   "plan DOMAIN",
		Short: "List the addresses that a mail server would try for a domain",
		Long: "List the addresses that a sender would try for DOMAIN (also user@domain), in its order and with its limits as they\n" +
			"come out of the box. Only DNS is asked. Where the sender shuffles, this is one order of several.",
		Example: "  mxglue plan example.com --as postfix\n  mxglue plan --json --seed 1 example.com | jq -r '.steps[].address'",
		Args: arguments(func(cmd *cobra.Command, args []string) error {
			if !slices.ContainsFunc(planSenders, func(s struct{ word, name string }) bool { return s.word == as }) {
				return wrongWord("--as", as, []string{"postfix", "exim", "rfc5321"})
			}
			if err := between(1, 1)(cmd, args); err != nil {
				return err
			}
			_, err := smtpprobe.ParseTarget(args[0])
			return err
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			prober, err := openProber(config)
			if err != nil {
				return err
			}
			defer prober.questions.Close()
			prober.Selection = selection
			prober.Own = ownNames(prober.Helo)
			plan, err := prober.Plan(cmd.Context(), args[0], as)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(plan)
			}
			return writePlan(cmd.OutOrStdout(), plan)
		},
	}
	registerFlags(cmd, "upstream", "glue", "bundle", "log-level")
	cmd.Flags().StringVar(&as, "as", "postfix", "the `SENDER`: postfix, exim or rfc5321")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().Uint64Var(&selection.Seed, "seed", 0, "shuffle the same way each time, by the `NUMBER`")
	cmd.Flags().BoolVar(&selection.IncludeSelf, "include-self", false, "list an MX host that is this host, and those not preferred to it, too")
	return cmd
}

// writePlan prints a plan for a person: the addresses in order, why, and in the last line what comes of it.
func writePlan(out io.Writer, p smtpprobe.Plan) error {
	var b strings.Builder
	if len(p.Steps) > 0 {
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "TRY\tPREF\tMX\tADDRESS\tFROM")
		for i, s := range p.Steps {
			fmt.Fprintf(table, "%3d\t%4d\t%s\t%s\t%s\n", i+1, s.Preference, smtpprobe.Escape(s.Exchanger), s.Address,
				dnsCell(smtpprobe.Attempt{Source: s.Source, TTL: s.TTL, AD: s.AD}).text)
		}
		table.Flush()
		b.WriteByte('\n')
		for _, rule := range p.Rules {
			fmt.Fprintln(&b, smtpprobe.Escape(rule))
		}
	}
	for _, left := range p.LeftOut {
		fmt.Fprintln(&b, "Left out: "+smtpprobe.Escape(left))
	}
	fmt.Fprintln(&b, smtpprobe.Escape(planned(p)))
	_, err := io.WriteString(out, b.String())
	return err
}

// planned is the last line.
func planned(p smtpprobe.Plan) string {
	who := ""
	for _, s := range planSenders {
		if s.word == p.As {
			who = s.name
		}
	}
	switch {
	case len(p.Steps) == 1:
		return fmt.Sprintf("%s tries one address for %s: %s (%s).", who, p.Domain, p.Steps[0].Address, p.Steps[0].Exchanger)
	case len(p.Steps) > 0:
		return fmt.Sprintf("%s tries up to %d addresses for %s, %s (%s) first.", who, len(p.Steps), p.Domain, p.Steps[0].Address, p.Steps[0].Exchanger)
	case p.Outcome == smtpprobe.OutcomeBounce:
		return fmt.Sprintf("%s has nothing to try for %s: it returns the mail at once.", who, p.Domain)
	}
	return fmt.Sprintf("%s has nothing to try for %s now: it keeps the mail and asks again.", who, p.Domain)
}
