//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/miekg/dns"
)

// mailZones are the zones of the exchangers: one that is signed, one below it that is not, and what hangs off them.
type mailZones struct {
	secure, insecure *zone
	broken           []*zone // below secure, with bogus signatures
}

const mailNameServer = "ns.dnssec.example."

func newMailZones(t *testing.T) *mailZones {
	t.Helper()
	z := &mailZones{secure: newZone(t, "dnssec.example.", mailNameServer), insecure: newZone(t, "insecure.dnssec.example.", mailNameServer)}
	z.secure.add(t, "%s A %s", mailNameServer, nsdIP)
	z.secure.add(t, "%s NS %s", z.insecure.name, mailNameServer)
	return z
}

// breakName makes every answer about a name of the signed zone, or below it, bogus: a resolver that validates says SERVFAIL.
func (z *mailZones) breakName(t *testing.T, name string) {
	t.Helper()
	broken := newZone(t, name, mailNameServer)
	broken.add(t, "%s TXT broken", "x."+name)
	z.secure.add(t, "%s NS %s", name, mailNameServer)
	z.secure.rrs = append(z.secure.rrs, broken.sign(t, true).ToDS(dns.SHA256))
	z.broken = append(z.broken, broken)
}

// serve signs the zones and runs an NSD with them, and a validating Unbound in front of it at unboundAddress.
func (z *mailZones) serve(t *testing.T) {
	t.Helper()
	anchor := z.secure.sign(t, false)
	startNSD(t, append([]*zone{z.secure, z.insecure}, z.broken...)...)
	d := runUnbound(t, scratch(t, "unbound"), fmt.Sprintf(validatingConf, "5353", anchor))
	awaitAnswer(t, d, unboundAddress, z.secure.name, dns.TypeSOA)
}
