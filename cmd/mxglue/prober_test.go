package main

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/dane"
)

// signedZone has a domain whose exchanger is signed, with a TLSA record, and one that is not.
const signedZone = `
	SIGNED safe.example. 300 IN SOA ns. host. 1 60 60 60 60
	SIGNED safe.example. 300 IN MX 10 mx.safe.example.
	SIGNED mx.safe.example. 300 IN A 127.0.0.39
	SIGNED _25._tcp.mx.safe.example. 300 IN TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000
	open.safe.example. 300 IN MX 10 mx.open.example.
	open.example. 300 IN MX 10 mx.open.example.
	mx.open.example. 300 IN A 127.0.0.39`

const signedRoot = "\n SIGNED . 300 IN NS a.root-servers.net."

// What is said of DANE where the resolver validates, where it only knows some zones, and where it says nothing.
func TestProberValidates(t *testing.T) {
	for _, test := range []struct {
		zone, domain string
		want         dane.Status
		asked        []string // for the sake of AD
	}{
		{signedZone + signedRoot, "safe.example", dane.Secure, []string{".NS"}},
		{signedZone + signedRoot, "open.example", dane.None, []string{".NS"}},
		{signedZone, "safe.example", dane.Secure, []string{".NS", "safe.example.SOA"}},
		{signedZone, "open.safe.example", dane.None, []string{".NS", "open.safe.example.SOA", "safe.example.SOA"}},
		{signedZone, "open.example", dane.Unknown, []string{".NS", "open.example.SOA", "example.SOA"}},
		{strings.ReplaceAll(signedZone, "SIGNED", ""), "safe.example", dane.Unknown, []string{".NS", "safe.example.SOA"}},
	} {
		b := newBench(t, test.zone, nil)
		out, notes, _ := b.run(t.Context(), "", "check", "--json", "--depth", "dns", "--port", "25", test.domain)
		var r smtpprobe.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.MX) != 1 || r.MX[0].DANE == nil {
			t.Fatalf("%s: %v:\n%s%s", test.domain, err, out, notes)
		}
		if got := r.MX[0].DANE.Status; got != test.want {
			t.Errorf("%s: DANE %s, want %s: %s", test.domain, got, test.want, r.MX[0].DANE.Detail)
		}
		if asked := b.questions(); len(asked) < len(test.asked) || !slices.Equal(asked[:len(test.asked)], test.asked) {
			t.Errorf("%s: asked %q first, want %q", test.domain, asked, test.asked)
		}
	}
}

// An address has no DANE: nobody is asked whether he validates.
func TestProberAsksNothingForAnAddress(t *testing.T) {
	b := newBench(t, "", nil)
	b.run(t.Context(), "", "check", "--depth", "greeting", "[127.0.0.39]:2")
	if asked := b.questions(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
}

// --fresh shows where glue and upstream part.
func TestProberFresh(t *testing.T) {
	t.Setenv("MXGLUE_CACHE_GLUE_PRIVATE", "true")
	b := newBench(t, `
		moved.example. 300 IN MX 10 mx.moved.example.
		GLUE mx.moved.example. 300 IN A 127.0.0.38
		mx.moved.example. 300 IN A 127.0.0.39`, nil)
	out, notes, _ := b.run(t.Context(), "", "check", "--fresh", "--depth", "dns", "moved.example")
	for _, want := range []string{"The cache has mx.moved.example A: 127.0.0.38; asked now it is 127.0.0.39.", "\n      127.0.0.39        upstream 300s"} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q:\n%s%s", want, out, notes)
		}
	}
}

// Loopback is everybody's: a mail server there is one that is being tried out.
func TestOwnAddresses(t *testing.T) {
	for _, own := range ownAddresses() {
		if addr, err := netip.ParseAddr(own); err != nil || addr.IsLoopback() || addr.IsLinkLocalUnicast() {
			t.Errorf("%s is an address of this host alone", own)
		}
	}
}

func TestOwnNames(t *testing.T) {
	if own := ownNames("mail.example"); !slices.Contains(own, "mail.example") {
		t.Errorf("%q lacks the name of EHLO", own)
	}
	for _, none := range []string{"", "localhost", "[192.0.2.1]"} {
		if slices.Contains(ownNames(none), none) {
			t.Errorf("%q is the name of an exchanger", none)
		}
	}
}
