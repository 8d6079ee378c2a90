package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cmd/mxglue/doctor"
	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/resolver/upstream"
	"github.com/mxglue/mxglue/smtpprobe"
)

// doctorCommand is "mxglue doctor". Its exit codes are 0, 1 and 2, of which 2 is exitConfig too: a configuration that is
// wrong is a failure.
func doctorCommand() *cobra.Command {
	var asJSON bool
	var trials doctor.Trials
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look whether this machine's mail server, its resolvers and its network are well",
		Long: "Look whether the mail server on this machine really asks mxglue, whether the upstreams answer, validate and\n" +
			"tell the truth, whether port 25 is open outwards, and whether our own name leads back to us; a line each, and\n" +
			"below what is not well, what to do. It changes nothing.\n\n" +
			"Exit code: 0 all is well; 1 something could be better or could not be found out; 2 something is wrong.",
		Example: "  mxglue doctor\n  mxglue doctor --json | jq '.[] | select(.status != \"ok\")'",
		Args:    arguments(between(0, 0)),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			worst, err := examine(cmd, config, trials, asJSON)
			if err != nil {
				return exitError{exitConfig, err}
			}
			if code := worst.ExitCode(); code != 0 {
				return exitError{code: code}
			}
			return nil
		},
	}
	doctorFlags(cmd, &trials)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array of {check, status, text, advice}")
	return cmd
}

// doctorFlags registers the flags of the configuration, and those of the names that are asked for.
func doctorFlags(cmd *cobra.Command, t *doctor.Trials) {
	registerFlags(cmd, "listen", "upstream", "status", "port", "allow-private")
	flags := cmd.Flags()
	flags.Lookup("listen").Usage = "the daemon answers DNS on `ADDR:PORT`, its server.listen (repeatable)"
	flags.Lookup("status").Usage = statusUsage
	flags.StringVar(&t.Signed, "signed", "ietf.org", "`NAME` with addresses, signed with DNSSEC")
	flags.StringVar(&t.Bogus, "bogus", "dnssec-failed.org", "`NAME` with addresses, whose signatures are wrong")
	flags.StringVar(&t.Large, "large", "microsoft.com", "`NAME` with TXT records of more than 1232 octets")
	flags.StringArrayVar(&t.Zones, "zone", []string{"com", "org", "invalid"}, "`ZONE` to ask for a name in that does not exist (repeatable)")
	flags.StringArrayVar(&t.DNSBLs, "dnsbl", []string{"zen.spamhaus.org"}, "blocklist of IPv4 addresses, `ZONE`, whose test points are asked for (repeatable)")
	flags.StringArrayVar(&t.Domains, "domain", []string{"gmail.com", "outlook.com", "mailbox.org"}, "`DOMAIN` whose best MX host is greeted, once over each address family (repeatable)")
}

// examine wires a doctor and shows what it finds.
func examine(cmd *cobra.Command, config Config, trials doctor.Trials, asJSON bool) (doctor.Status, error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	if err := knownNames(&trials); err != nil {
		return doctor.Fail, err
	}
	d, err := newDoctor(ctx, config, trials)
	if err != nil {
		return doctor.Fail, err
	}
	if !asJSON {
		colour := out == os.Stdout && colours(os.Stdout)
		return d.Examine(ctx, func(f doctor.Finding) { doctor.Write(out, f, colour) }), nil
	}
	var findings []doctor.Finding
	worst := d.Examine(ctx, func(f doctor.Finding) { findings = append(findings, f) })
	return worst, doctor.WriteJSON(out, findings)
}

// knownNames brings the names of the flags into their usual form.
func knownNames(t *doctor.Trials) error {
	kind := domainName()
	for _, f := range []struct {
		flag  string
		names []*string
	}{{"signed", []*string{&t.Signed}}, {"bogus", []*string{&t.Bogus}}, {"large", []*string{&t.Large}},
		{"zone", each(t.Zones)}, {"dnsbl", each(t.DNSBLs)}, {"domain", each(t.Domains)}} {
		for _, name := range f.names {
			parsed, ok := kind.parse(*name)
			if !ok {
				return fmt.Errorf("flag --%s: %s is not %s", f.flag, show(*name), kind.want)
			}
			*name = strings.TrimSuffix(parsed, ".")
		}
	}
	return nil
}

// each is the addresses of the elements of a list.
func each(list []string) (all []*string) {
	for i := range list {
		all = append(all, &list[i])
	}
	return all
}

// newDoctor wires the doctor to upstreams of its own, with the daemon's configuration, and to the daemon itself. They are
// closed when the process ends.
func newDoctor(ctx context.Context, config Config, trials doctor.Trials) (*doctor.Doctor, error) {
	daemon := daemonOf(config)
	trials.Probe = smtpprobe.Options{Helo: config.SMTPProbe.HELO, Port: config.SMTPProbe.Port, AllowPrivate: config.SMTPProbe.AllowPrivate,
		Depth: smtpprobe.DepthGreeting, Selection: smtpprobe.Selection{First: true}}
	d := &doctor.Doctor{
		Listen: config.Server.Listen,
		Ours:   func(at netip.AddrPort) bool { _, own := ownListener(config.Server.Listen, at); return own },
		Daemon: doctor.Daemon{
			Status: func(ctx context.Context) (doctor.Running, error) { return whoRuns(ctx, daemon) },
			Asked: func(ctx context.Context, domain string) ([]doctor.Question, error) {
				return askedHere(ctx, daemon, domain)
			},
		},
		StripAD:  config.Resolver.DNSSEC == "strip",
		Case0x20: config.Resolver.Case0x20,
		Trials:   trials,
		Now:      time.Now(),
	}
	if d.NoUpstream = config.findUpstreams(config.Server.Listen); d.NoUpstream != nil {
		// Perhaps serve was told on its command line.
		if config.Resolver.Upstreams = upstreamsOf(ctx, daemon); config.Resolver.Upstreams == nil {
			return d, nil
		}
		d.NoUpstream = nil
	}
	_, questions, err := newResolver(config, slog.New(slog.DiscardHandler)) // the findings tell
	if err != nil {
		return nil, err
	}
	d.Exchange = questions.Exchange
	known, err := newUpstreams(config, nil)
	if err != nil {
		return nil, err
	}
	d.Upstreams = known.everything
	return d, nil
}

// snapshotOf asks the daemon for its figures.
func snapshotOf(ctx context.Context, daemon daemonClient) (s status.Snapshot, err error) {
	text, err := daemon.ask(ctx, http.MethodGet, "/stats", nil)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, daemon.notMxglue(err)
	}
	return s, nil
}

// upstreamsOf are the addresses that the daemon asks; nil if it cannot be asked itself. Those of its routes are among
// them, which does no harm: they are to answer, too.
func upstreamsOf(ctx context.Context, daemon daemonClient) (addresses []string) {
	s, err := snapshotOf(ctx, daemon)
	if err != nil {
		return nil
	}
	for _, u := range s.Upstreams {
		if _, err := upstream.New(u.Address); err == nil {
			addresses = append(addresses, u.Address)
		}
	}
	return addresses
}

func whoRuns(ctx context.Context, daemon daemonClient) (doctor.Running, error) {
	s, err := snapshotOf(ctx, daemon)
	return doctor.Running{Version: s.Version, Up: time.Duration(s.UptimeSeconds * float64(time.Second)),
		Queries: s.Server.UDPQueries + s.Server.TCPQueries, Trouble: s.Trouble()}, err
}

// askedHere looks through the daemon's cache for what clients on this machine have asked: in the first status.MaxDump entries
// by name, which is enough to see whether somebody does.
func askedHere(ctx context.Context, daemon daemonClient, domain string) (asked []doctor.Question, err error) {
	text, err := daemon.ask(ctx, http.MethodGet, "/dump", url.Values{"name": {domain}})
	if err != nil {
		return nil, err
	}
	var known []cache.Known
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, daemon.notMxglue(err)
	}
	for _, k := range known {
		if k.By == "client" && isLocal(k.Client) {
			asked = append(asked, doctor.Question{Name: k.Name, Type: k.Type, Ago: time.Duration(k.Age) * time.Second})
		}
	}
	return asked, nil
}

// colours tells whether a file is a terminal, on which colour is wanted (https://no-color.org).
func colours(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
