package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// stageCells are what became of each stage at one address.
func stageCells(r smtpprobe.Report, e smtpprobe.Exchanger, a smtpprobe.Attempt) []cell {
	return []cell{dnsCell(a), connectCell(a), greetingCell(a), helloCell(a), tlsCell(a), certificateCell(a), daneCell(e, a), stsCell(r, e, a)}
}

// dnsCell is where the address came from, how long it goes on, and whether it is signed.
func dnsCell(a smtpprobe.Attempt) cell {
	text := orDash(smtpprobe.Escape(a.Source))
	if a.TTL > 0 {
		text += fmt.Sprintf(" %ds", a.TTL)
	}
	if a.AD {
		text += " AD"
	}
	return cell{text: text}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// connectCell is how long the connection took, or why there is none.
func connectCell(a smtpprobe.Attempt) cell {
	if a.MS.Connect > 0 {
		return cell{elapsed(a.MS.Connect), green}
	}
	switch a.Verdict {
	case smtpprobe.Refused, smtpprobe.Unreachable, smtpprobe.Reset:
		return cell{string(a.Verdict), red}
	case smtpprobe.TimeoutConnect:
		return cell{"timeout", red}
	case smtpprobe.BlockedAddress:
		return cell{"blocked", yellow}
	case smtpprobe.LocalError:
		return cell{"not from here", cyan}
	case smtpprobe.Skipped:
		return cell{"skipped", none}
	}
	return cell{text: "-"}
}

// elapsed writes milliseconds as 0.3ms, 31ms, 15.0s.
func elapsed(ms float64) string {
	switch {
	case ms < 10:
		return fmt.Sprintf("%.1fms", ms)
	case ms < 10_000:
		return fmt.Sprintf("%.0fms", ms)
	}
	return fmt.Sprintf("%.1fs", ms/1000)
}

// greetingCell is the code and how long it took, or what came instead.
func greetingCell(a smtpprobe.Attempt) cell {
	switch a.Verdict {
	case smtpprobe.OK, smtpprobe.Slow, smtpprobe.Greeting4xx, smtpprobe.Greeting5xx:
		c := cell{fmt.Sprintf("%03d %s", a.Code, elapsed(a.MS.Greeting)), green}
		if a.Verdict == smtpprobe.Slow {
			c.colour = yellow
		} else if a.Verdict != smtpprobe.OK {
			c.colour = red
		}
		return c
	case smtpprobe.GreetingTimeout:
		return cell{"timeout", red}
	case smtpprobe.ClosedBeforeGreeting:
		return cell{"closed", red}
	case smtpprobe.BadGreeting:
		return cell{"broken", red}
	case smtpprobe.NotSMTP:
		return cell{"no SMTP", red}
	case smtpprobe.Reset, smtpprobe.LocalError, smtpprobe.Unreachable:
		if a.MS.Connect > 0 {
			return cell{string(a.Verdict), red}
		}
	}
	return cell{text: "-"}
}

// helloCell is the command that was accepted.
func helloCell(a smtpprobe.Attempt) cell {
	switch {
	case a.Hello != "":
		return cell{a.Hello, map[string]colour{"EHLO": green, "HELO": yellow}[a.Hello]}
	case a.MS.Hello > 0:
		return cell{"failed", red}
	}
	return cell{text: "-"}
}

// tlsCell is the version, or why there is none.
func tlsCell(a smtpprobe.Attempt) cell {
	t := a.TLS
	switch {
	case t == nil:
		return cell{text: "-"}
	case t.Established && t.Injected:
		return cell{strings.TrimPrefix(t.Version, "TLS ") + " injected", yellow}
	case t.Established:
		return cell{strings.TrimPrefix(t.Version, "TLS "), green}
	case !t.Offered:
		return cell{"none", yellow}
	}
	return cell{"failed", yellow}
}

// certificateCell is what a sender that demands a public certificate says of the chain, and how many days it goes on.
func certificateCell(a smtpprobe.Attempt) cell {
	t := a.TLS
	if t == nil || len(t.Chain) == 0 {
		return cell{text: "-"}
	}
	left := time.Until(t.NotAfter).Hours() / 24
	days := fmt.Sprintf("%.0fd", math.Floor(left))
	switch t.Verdict {
	case smtpprobe.TLSVerdictOK:
		return cell{"ok " + days, green}
	case smtpprobe.CertificateExpired:
		return cell{"expired", yellow}
	case smtpprobe.CertificateHostMismatch:
		return cell{"wrong name " + days, none}
	case smtpprobe.CertificateNotTrusted:
		return cell{"untrusted " + days, none}
	}
	return cell{"failed", yellow}
}

// daneCell is what the TLSA records demand, and whether it is there.
func daneCell(e smtpprobe.Exchanger, a smtpprobe.Attempt) cell {
	switch {
	case e.DANE == nil:
		return cell{text: "-"}
	case e.DANE.Status == dane.Error:
		return cell{"error", red}
	case e.DANE.Status == dane.Secure && a.Senders.DANE == smtpprobe.OutcomeDefer:
		return cell{"FAIL", red}
	case e.DANE.Status == dane.Secure && a.TLS != nil && a.TLS.DANE != nil:
		return cell{"ok", green}
	}
	return cell{text: string(e.DANE.Status)}
}

// stsCell is the mode of the policy, and whether the address is what it demands.
func stsCell(r smtpprobe.Report, e smtpprobe.Exchanger, a smtpprobe.Attempt) cell {
	policy := r.STS
	switch {
	case policy == nil:
		return cell{text: "-"}
	case policy.Status != sts.OK:
		return cell{text: strings.ReplaceAll(string(policy.Status), "_", " ")}
	case !policy.Covers(e.Name) && policy.Mode == sts.ModeEnforce:
		return cell{policy.Mode + " FAIL", red}
	case a.TLS == nil || policy.Mode == sts.ModeNone:
		return cell{text: policy.Mode}
	case a.TLS.STS != nil && a.TLS.STS.OK:
		return cell{policy.Mode + " ok", green}
	case policy.Mode == sts.ModeEnforce:
		return cell{policy.Mode + " FAIL", red}
	}
	return cell{policy.Mode + " FAIL", yellow}
}
