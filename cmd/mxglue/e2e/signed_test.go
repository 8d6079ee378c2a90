//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// Where the validating Unbounds listen: one for mxglue, on loopback and beyond it, and its twin for comparison.
const (
	farIP       = "10.77.0.53"
	farAddress  = farIP + ":5353"
	twinAddress = "127.0.0.1:5355"
)

// validatingConf is a resolver that knows the signed zones. It sends additional records along, so that there is glue.
const validatingConf = unboundServer + `
  interface: 127.0.0.1@%[1]s
  interface: 10.77.0.53@%[1]s
  access-control: 10.77.0.0/24 allow
  module-config: "validator iterator"
  trust-anchor: "%[2]s"
  minimal-responses: no
  do-not-query-localhost: no
  local-zone: "." static
  local-zone: "dnssec.example." transparent
stub-zone:
  name: "dnssec.example."
  stub-addr: 127.0.0.53@53
`

// startSigned runs two equal validating Unbounds in front of an NSD with three zones: dnssec.example, whose key they
// trust, insecure.dnssec.example below it, which is not signed, and bogus.dnssec.example, whose signatures are wrong. Each
// has so many names n0, n1, ... with A, MX, TLSA, and the A of the MX host. more are lines for the first Unbound's
// configuration.
func startSigned(t *testing.T, names int, more ...string) {
	t.Helper()
	const nameServer = "ns.dnssec.example."
	secure := newZone(t, "dnssec.example.", nameServer)
	insecure := newZone(t, "insecure.dnssec.example.", nameServer)
	bogus := newZone(t, "bogus.dnssec.example.", nameServer)
	for _, z := range []*zone{secure, insecure, bogus} {
		for i := range names {
			name := fmt.Sprintf("n%d.%s", i, z.name)
			z.add(t, "%s A 10.77.0.12", name)
			z.add(t, "%s MX 10 mx.%s", name, name)
			z.add(t, "mx.%s A 10.77.0.11", name)
			z.add(t, "_25._tcp.%s TLSA 3 1 1 %064x", name, i)
		}
	}
	secure.add(t, "%s A %s", nameServer, nsdIP)
	secure.add(t, "%s NS %s", insecure.name, nameServer)
	secure.add(t, "%s NS %s", bogus.name, nameServer)
	secure.rrs = append(secure.rrs, bogus.sign(t, true).ToDS(dns.SHA256))
	anchor := secure.sign(t, false)
	startNSD(t, secure, insecure, bogus)
	for _, address := range []string{unboundAddress, twinAddress} {
		_, port, _ := strings.Cut(address, ":")
		conf := fmt.Sprintf(validatingConf, port, anchor)
		if address == unboundAddress {
			conf += strings.Join(more, "")
		}
		d := runUnbound(t, scratch(t, "unbound"), conf)
		awaitAnswer(t, d, address, secure.name, dns.TypeSOA)
	}
}
