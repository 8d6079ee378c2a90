//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The seed's capture, explained: which address is glue and of what, whom it answers, what Postfix would do. Nobody is asked
// for that.
func TestExplain(t *testing.T) {
	u := startUpstream(t, upstreamAddress, 0, capturedResolver(t))
	d := serve(t)
	const domain = "enprovence.com"
	if r := explain(t, domain); r.code != 1 || r.stdout != "" {
		t.Errorf("before anybody asked: exit code %d, want 1:\n%s", r.code, r.stdout)
	} else {
		mentions(t, "the error", r.stderr, "nothing is known of enprovence.com", "--ask")
	}

	ask(t, "udp", "127.0.0.1", domain+".", dns.TypeMX)
	eventually(t, 5*time.Second, func() error { // the bundle asks for what did not come along
		if n := len(u.queries(dns.TypeAAAA)); n != 2 {
			return fmt.Errorf("%d AAAA questions upstream, want 2", n)
		}
		return nil
	})
	var e explanation
	eventually(t, 5*time.Second, func() error { // and has its answers a moment later
		r := explain(t, "--json", domain)
		if err := json.Unmarshal([]byte(r.stdout), &e); err != nil {
			return err
		}
		for _, x := range e.Exchangers {
			if x.AAAA.State != "live" {
				return fmt.Errorf("%s AAAA is %s", x.Name, x.AAAA.State)
			}
		}
		return nil
	})
	before := len(u.queries())
	if !e.Known || len(e.Exchangers) != 2 || e.Exchangers[0].A.Source != "glue" || e.Exchangers[0].AAAA.Source != "bundle" || e.Exchangers[0].A.Claim.Owner != "enprovence.com." {
		t.Errorf("--json: %+v, want two exchangers with A out of the MX answer and AAAA from the bundle", e)
	}
	r := explain(t, "postmaster@ENPROVENCE.com")
	if r.code != 0 {
		t.Errorf("exit code %d:\n%s", r.code, r.stderr)
	}
	mentions(t, "mxglue explain", r.stdout, "194.79.150.9", "glue of enprovence.com", "bundle for 127.0.0.1", "udp://"+upstreamAddress,
		"Glue answers only 127.0.0.1,", "mail.monaco.net A, dns2.monaco.net A.",
		"Postfix would try mail.monaco.net (194.79.150.9), then dns2.monaco.net (194.79.150.2);")
	if after := u.queries(); len(after) != before {
		t.Errorf("explaining asked the upstream:\n%s", transcript(after[before:]))
	}

	stop(t, d)
	if r := explain(t, domain); r.code != 1 {
		t.Errorf("without a daemon: exit code %d, want 1", r.code)
	} else {
		mentions(t, "the error", r.stderr, "nothing listens on "+statusAddress, "mxglue serve")
	}
}

// Asked to ask, it asks as a mail server that does DANE would, and says why DANE holds or not.
func TestExplainAsk(t *testing.T) {
	startSigned(t, 1)
	serveBefore(t, []string{"udp://" + unboundAddress})
	for domain, why := range map[string]string{
		"n0.dnssec.example":          "DANE is not usable (no TLSA record).",
		"n0.insecure.dnssec.example": "DANE is not usable (addresses not authentic).",
		"n0.bogus.dnssec.example":    "Postfix would keep the mail and try again later: no upstream could tell the MX (",
	} {
		r := explain(t, "--ask", domain)
		if r.code != 0 {
			t.Errorf("%s: exit code %d:\n%s", domain, r.code, r.stderr)
		}
		mentions(t, "mxglue explain --ask "+domain, r.stdout, why, "prober", "udp://"+unboundAddress)
	}
}

// explanation is what "mxglue explain --json" prints, in part.
type explanation struct {
	Known      bool
	Exchangers []struct {
		Name    string
		A, AAAA struct {
			State, Source string
			Claim         struct{ Owner string }
		}
	}
}

// explain runs "mxglue explain".
func explain(t *testing.T, args ...string) result {
	t.Helper()
	return run(t, mxglue(t, nil, append([]string{"explain", "--status", statusAddress}, args...)...))
}
