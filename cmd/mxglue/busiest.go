package main

import (
	"strings"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cmd/mxglue/status"
)

// busyDomains are the domains whose MX is asked for most, in the order given, at most so many.
func busyDomains(hottest []cache.Asked, most int) (busy []status.Busy) {
	for _, asked := range hottest {
		if asked.Type == dns.TypeMX && len(busy) < most {
			busy = append(busy, status.Busy{Domain: strings.TrimSuffix(asked.Name, "."), Hits: asked.Hits})
		}
	}
	return busy
}
