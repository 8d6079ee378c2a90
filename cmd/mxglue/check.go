package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/smtpprobe"
)

// The exit codes of check, as Nagios plugins have them.
const (
	exitAllWell  = 0
	exitWarning  = 1
	exitCritical = 2
	exitUnknown  = 3 // our own DNS, network, or command line
)

// checkCommand is "mxglue check": the MX tester.
func checkCommand() *cobra.Command {
	var f checkOptions
	cmd := &cobra.Command{
		Use:   "check DOMAIN...",
		Short: "Tell what the MX hosts of a domain do to mail",
		Long: "Connect to the MX hosts of each DOMAIN in the order a mail server would, look at greeting, STARTTLS and\n" +
			"certificate, at DANE and MTA-STS, and tell what a plain, a DANE and an MTA-STS sender would do now. DOMAIN is also\n" +
			"user@domain, host:port or an address literal as '[192.0.2.1]', and may have umlauts.\n\n" +
			"Exit code: 0 all is well; 1 an MX host fails, or a certificate ends soon; 2 no MX host takes mail, or DANE or\n" +
			"MTA-STS senders defer; 3 unknown, because our own DNS, network or command line failed. Of several domains the\n" +
			"worst: 0, then 1, 3, 2.",
		Example: "  mxglue check example.com\n" +
			"  mxglue check --json user@example.com | jq .senders\n" +
			"  mxglue check --format nagios -w 5 -c 10 example.com\n" +
			"  mxglue check --file domains.txt --format csv > mx.csv\n" +
			"  mxglue check --file domains.txt --format csv --resume mx.csv >> mx.csv    # after Ctrl-C",
		Args: arguments(func(cmd *cobra.Command, domains []string) error { return f.tell(cmd, f.check(cmd.Flags(), domains)) }),
		RunE: func(cmd *cobra.Command, domains []string) error { return f.tell(cmd, f.run(cmd, domains)) },
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return f.tell(cmd, wrongFlag(cmd, err)) })
	checkFlags(cmd)
	f.register(cmd.Flags())
	return cmd
}

// tell has Nagios, which reads standard output only, see why there is no result; of a wrong flag, if --format stands before it.
func (f *checkOptions) tell(cmd *cobra.Command, err error) error {
	if err != nil && err.Error() != "" && f.format == "nagios" {
		fmt.Fprintf(cmd.OutOrStdout(), "MX UNKNOWN - %s\n", nagiosClean(err.Error()))
	}
	return err
}

// run is the command.
func (f *checkOptions) run(cmd *cobra.Command, domains []string) error {
	config, err := loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	prober, err := openProber(config)
	if err != nil {
		return err
	}
	defer prober.questions.Close()
	ctx, cancel := f.within(cmd.Context())
	defer cancel()
	if err := errors.Join(f.apply(prober, cmd.Flags()), ownSource(prober.Source)); err != nil {
		return err
	}
	var code int
	if f.file != "" {
		code, err = f.checkMany(ctx, cmd, prober)
	} else {
		code, err = f.checkEach(ctx, prober, domains, cmd.OutOrStdout())
	}
	if err == nil && code != exitAllWell {
		err = exitError{code: code}
	}
	return err
}

// outcome is a report and how long it took to come.
type outcome struct {
	smtpprobe.Report
	took time.Duration
}

// A writer prints outcomes in one format. Each is printed in one piece, so that a process that is killed leaves whole
// ones. end prints what has to stand after the last.
type writer interface {
	write(outcome) error
	end() error
}

// checkEach probes the domains one after the other and returns the worst exit code.
func (f *checkOptions) checkEach(ctx context.Context, p *prober, domains []string, out io.Writer) (int, error) {
	w, worst := f.writer(out), exitAllWell
	for _, d := range domains {
		began := time.Now()
		r := p.probe(ctx, d, p.Options)
		if smtpprobe.BlockedHere([]smtpprobe.Report{r}) && !p.PortBlocked { // the same results, seen in that light
			opt := p.Options
			opt.PortBlocked = true
			r = p.probe(ctx, d, opt)
		}
		o := outcome{r, time.Since(began)}
		worst = worse(worst, f.exitCode(o))
		if err := w.write(o); err != nil {
			return worst, err
		}
	}
	return worst, w.end()
}

// openProber builds the tester of one command, on a resolver of its own with the daemon's configuration, which is to be
// closed.
func openProber(config Config) (*prober, error) {
	if err := config.findUpstreams(nil); err != nil { // the daemon of this host may well be one
		return nil, err
	}
	_, questions, err := newResolver(config, newLogger(os.Stderr, config.Log.Level))
	if err != nil {
		return nil, err
	}
	return newProber(config, questions), nil
}

// worse returns the worse of two exit codes: a domain that certainly gets no mail is worse than one we could not look at.
func worse(a, b int) int {
	severity := [...]int{exitAllWell: 0, exitWarning: 1, exitUnknown: 2, exitCritical: 3}
	if severity[a] > severity[b] {
		return a
	}
	return b
}

// exitCode is the report's, or worse where --warning and --critical say so.
func (f *checkOptions) exitCode(o outcome) int {
	if f.format == "nagios" {
		code, _ := f.thresholds.judge(o)
		return code
	}
	return o.ExitCode()
}

// writer is that of --format.
func (f *checkOptions) writer(out io.Writer) writer {
	switch f.format {
	case "json":
		return jsonWriter{out}
	case "nagios":
		return nagiosWriter{out, f.thresholds}
	case "junit":
		return &junitWriter{out: out}
	case "csv":
		return &csvWriter{out: out}
	}
	return textWriter{out: out, paint: paints(out), brief: f.file != ""}
}
