package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mxglue/mxglue/smtpprobe"
)

// whoTakesMail is the last line: who takes the mail now, or what a sender would do with it.
func whoTakesMail(r smtpprobe.Report) string {
	if r.TakesMail != nil {
		return takenBy(r) + exceptions(r) + "."
	}
	switch r.Verdict {
	case smtpprobe.NullMX, smtpprobe.NXDomain, smtpprobe.NoAddress: // RFC 7505 4.1, RFC 5321 5.1: reported as an error
		return "Nobody takes mail for " + r.Domain + ": a sender returns it at once."
	case smtpprobe.DNSFail:
		return "Nobody knows who takes mail for " + r.Domain + ": a sender that fares the same keeps it and tries again."
	case smtpprobe.Critical:
		if notTried(r) {
			return "Nobody is known to take mail for " + r.Domain + ": its addresses were not connected to."
		}
		// RFC 5321 4.5.4.1: retries go on for 4 to 5 days at least
		return "Nobody takes mail for " + r.Domain + " now: a sender keeps it and tries again, for some days."
	case smtpprobe.OK, smtpprobe.Warning:
		return "Nobody was asked who takes mail for " + r.Domain + ": no connection was made."
	}
	return "Unknown who takes mail for " + r.Domain + " now: it could not be found out from here."
}

// takenBy names the exchanger that said 220 first.
func takenBy(r smtpprobe.Report) string {
	before := r.Order[:max(0, slices.Index(r.Order, *r.TakesMail))]
	switch {
	case r.Senders.Plain == smtpprobe.OutcomeDefer:
		return *r.TakesMail + " says 220 and takes no mail: a sender keeps it and tries again"
	case slices.ContainsFunc(r.Findings, func(f smtpprobe.Finding) bool { return f.Code == "null_mx_mixed" }):
		return *r.TakesMail + " takes the mail now, from senders that ignore the null MX beside it"
	case len(before) > 0:
		return *r.TakesMail + " takes the mail now, after " + strings.Join(before, ", ") + " did not"
	}
	return *r.TakesMail + " takes the mail now"
}

// exceptions are the senders who demand more than they get, where a plain one delivers.
func exceptions(r smtpprobe.Report) string {
	var who []string
	if r.Senders.DANE == smtpprobe.OutcomeDefer {
		who = append(who, "DANE")
	}
	if r.Senders.STS == smtpprobe.OutcomeDefer {
		who = append(who, "MTA-STS")
	}
	if len(who) == 0 || r.Senders.Plain == smtpprobe.OutcomeDefer {
		return ""
	}
	return ", but not from " + strings.Join(who, " and ") + " senders, who keep it and try again"
}

// notTried says whether every address was refused by us.
func notTried(r smtpprobe.Report) bool {
	return len(r.MX) > 0 && !slices.ContainsFunc(r.MX, func(e smtpprobe.Exchanger) bool { return e.Verdict != smtpprobe.BlockedAddress })
}

// warned counts the warnings above the last line, if that says ok.
func warned(r smtpprobe.Report) string {
	switch n := len(r.Warnings); {
	case r.Status != smtpprobe.StatusOK || n == 0:
		return ""
	case n == 1:
		return " There is a warning above."
	default:
		return fmt.Sprintf(" There are %d warnings above.", n)
	}
}
