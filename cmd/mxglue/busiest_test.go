package main

import (
	"slices"
	"testing"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cmd/mxglue/status"
)

// A domain is busy by its MX: its hosts' addresses are asked for as well, and some serve many domains.
func TestBusyDomainsAreThoseWhoseMXIsAskedFor(t *testing.T) {
	hottest := []cache.Asked{
		{Name: "mx.example.com.", Type: dns.TypeA, Hits: 90}, {Name: "example.com.", Type: dns.TypeMX, Hits: 50},
		{Name: "example.org.", Type: dns.TypeTXT, Hits: 40}, {Name: "example.org.", Type: dns.TypeMX, Hits: 30}, {Name: "example.net.", Type: dns.TypeMX, Hits: 20},
	}
	want := []status.Busy{{Domain: "example.com", Hits: 50}, {Domain: "example.org", Hits: 30}}
	if got := busyDomains(hottest, 2); !slices.Equal(got, want) {
		t.Errorf("%v are busy, want %v", got, want)
	}
}
