package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mxglue/mxglue/smtpprobe"
)

// checkOptions are the flags of "mxglue check" that stand for no key of config.yaml.
type checkOptions struct {
	format       string
	asJSON       bool
	thresholds   thresholds
	file, resume string
	deadline     time.Duration // for everything; 0: none

	ca, helo, source, depth, nullMX string
	fresh, rfcTimeouts              bool
	opt                             smtpprobe.Options // what flags write straight into
}

// The words of --format and --depth.
var (
	checkFormats = []string{"text", "json", "nagios", "junit", "csv"}
	checkDepths  = []string{"dns", "greeting", "tls", "rcpt"} // smtpprobe.DepthDNS and on
)

// register makes the flags.
func (f *checkOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.format, "format", "text", "print in the `FORMAT` text, json, nagios, junit or csv")
	flags.BoolVar(&f.asJSON, "json", false, "the same as --format json: one object a line for each domain")
	flags.Float64VarP(&f.thresholds.warning, "warning", "w", 0, "of nagios: a warning, if a greeting or the whole check takes more than `SECONDS`")
	flags.Float64VarP(&f.thresholds.critical, "critical", "c", 0, "of nagios: critical, if a greeting or the whole check takes more than `SECONDS`")
	flags.DurationVarP(&f.deadline, "deadline", "t", 0, "end after the `DURATION` with what was found until then, which is unknown (default: none, and 60s with --format nagios)")
	flags.StringVar(&f.file, "file", "", "check the domains in `FILE`, one a line; - is standard input")
	flags.StringVar(&f.resume, "resume", "", "leave out the domains that are in `FILE`, the output of a former run (json or csv)")

	flags.StringVar(&f.depth, "depth", "tls", "how far to go, the `DEPTH`: dns (no connection), greeting, tls or rcpt (ask whether the postmaster gets mail)")
	flags.StringVar(&f.helo, "helo", "", "the `NAME` to say in EHLO (default: smtpprobe.helo, or that of this host)")
	flags.StringVar(&f.source, "source", "", "connect from the `ADDRESS`")
	flags.StringVar(&f.ca, "ca", "", "trust the authorities in the PEM `FILE`, instead of the system's")
	flags.StringVar(&f.nullMX, "null-mx", "ok", "a null MX, by which a domain takes no mail, is `WORD`: ok or fail")
	flags.BoolVar(&f.fresh, "fresh", false, "ask past the cache as well, and show the difference")
	flags.BoolVar(&f.rfcTimeouts, "rfc-timeouts", false, "wait 5 minutes at each step, as RFC 5321 has a mail server do")

	o := &f.opt
	flags.BoolVar(&o.First, "first", false, "stop at the first 220 of each domain")
	flags.BoolVar(&o.AllAddresses, "all-addresses", false, "all addresses of each MX host, not only 2 IPv4 and 2 IPv6")
	flags.BoolVar(&o.MXToIP, "mx-to-ip", false, "connect to an MX that is an address, as Postfix does")
	flags.BoolVar(&o.IncludeSelf, "include-self", false, "probe an MX host that is this host, and those not preferred to it, too")
	flags.BoolVar(&o.ImplicitTLS, "implicit-tls", false, "TLS before the greeting; the port is 465 then, if none is named")
	flags.BoolVar(&o.ForceStartTLS, "force-starttls", false, "say STARTTLS even if it is not offered")
	flags.BoolVar(&o.Legacy, "legacy", false, "where the TLS handshake fails, connect once more and offer all from TLS 1.0 on")
	flags.BoolVar(&o.Transcript, "transcript", false, "show the dialogue")
	flags.Uint64Var(&o.Seed, "seed", 0, "shuffle MX hosts of equal preference the same way each time, by the `NUMBER`")
}

// check finds what is wrong with the command line.
func (f *checkOptions) check(flags *pflag.FlagSet, domains []string) error {
	if f.asJSON {
		if flags.Changed("format") && f.format != "json" {
			return fmt.Errorf("--json and --format %s: give one of them", f.format)
		}
		f.format = "json"
	}
	switch {
	case !slices.Contains(checkFormats, f.format):
		return wrongWord("--format", f.format, checkFormats)
	case !slices.Contains(checkDepths, f.depth):
		return wrongWord("--depth", f.depth, checkDepths)
	case f.nullMX != "ok" && f.nullMX != "fail":
		return wrongWord("--null-mx", f.nullMX, []string{"ok", "fail"})
	case f.file == "" && len(domains) == 0:
		return errors.New("no domain to check: want DOMAIN..., or --file FILE")
	case f.file != "" && len(domains) > 0:
		return fmt.Errorf("--file and the domain %.100q: want one or the other", domains[0])
	case f.format == "nagios" && (f.file != "" || len(domains) != 1):
		return errors.New("--format nagios has one line for one domain: want one DOMAIN, and no --file")
	case f.resume != "" && (f.file == "" || f.format != "json" && f.format != "csv"):
		return errors.New("--resume goes on with a list: want --file, and --format json or csv, with it")
	case f.file != "" && f.depth == "rcpt":
		return errors.New("--depth rcpt asks mail servers about a mailbox, which is not for lists: want DOMAIN, not --file")
	case f.rfcTimeouts && flags.Changed("timeout"):
		return errors.New("--rfc-timeouts and --timeout: give one of them")
	}
	if flags.Changed("deadline") && f.deadline < minDeadline {
		return fmt.Errorf("--deadline %v: want %v or more, as in --deadline 30s", f.deadline, minDeadline)
	}
	if f.format == "nagios" && !flags.Changed("deadline") {
		f.deadline = nagiosDeadline
	}
	for _, d := range domains { // all of them before the first is asked about
		if _, err := smtpprobe.ParseTarget(d); err != nil {
			return err
		}
	}
	return f.thresholds.check(flags, f.format)
}

// minDeadline is in which a probe can end at all. Nagios kills a plugin after service_check_timeout, which is 60 s as it comes.
const (
	minDeadline    = time.Second
	nagiosDeadline = time.Minute
)

// within is ctx, ended by --deadline: a little before it, as a probe that is cut short says QUIT first.
func (f *checkOptions) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.deadline == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, f.deadline-min(f.deadline/10, time.Second))
}

// wrongWord is the error of a flag whose value is none of its words.
func wrongWord(flag, value string, words []string) error {
	return fmt.Errorf("%s %.40q: want %s or %s", flag, value, strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
}

// ownSource refuses an address that this host does not have, from which no connection would come about.
func ownSource(address netip.Addr) error {
	if !address.IsValid() {
		return nil
	}
	conn, err := net.ListenPacket("udp", netip.AddrPortFrom(address, 0).String())
	if err != nil {
		return fmt.Errorf("--source %s: this host has no such address", address)
	}
	return conn.Close()
}

// apply sets what the flags say in the prober, whose options are those of config.yaml so far.
func (f *checkOptions) apply(p *prober, flags *pflag.FlagSet) error {
	o := &p.Options
	o.Selection, o.Security, o.Transcript = f.opt.Selection, f.opt.Security, f.opt.Transcript
	o.Depth = smtpprobe.Depth(slices.Index(checkDepths, f.depth) + 1)
	o.NullMXFails = f.nullMX == "fail"
	if f.helo != "" {
		name, ok := heloName().parse(f.helo)
		if !ok {
			return fmt.Errorf("--helo %.100q: want %s", f.helo, heloName().want)
		}
		o.Helo = name
	}
	o.Own = append(ownNames(o.Helo), ownAddresses()...)
	if f.source != "" {
		address, err := netip.ParseAddr(f.source)
		if err != nil || address.IsUnspecified() {
			return fmt.Errorf("--source %.60q: want an IP address of this host", f.source)
		}
		o.Source = address
	}
	if f.ca != "" {
		roots, err := readRoots("--ca", f.ca)
		if err != nil {
			return err
		}
		o.Roots = roots
	}
	if o.ImplicitTLS && !flags.Changed("port") && o.Port == 25 { // 25 is for nobody who speaks TLS first: RFC 8314 3.3 has 465
		o.Port = 0
	}
	if f.rfcTimeouts {
		o.Timeouts = smtpprobe.RFCTimeouts()
	}
	if f.fresh {
		p.FreshExchange = p.questions.ExchangeFresh
	}
	return nil
}
