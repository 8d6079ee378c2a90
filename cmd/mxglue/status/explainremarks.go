package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
)

// remarks are what follows from what is known, a sentence a line: whom it answers, what is missing, what was refused, who
// would be asked, and what a mail server would do.
func remarks(e Explanation) (lines []string) {
	memories := []resolver.Memory{e.MX}
	for _, host := range e.Exchangers {
		memories = append(memories, host.A, host.AAAA, host.TLSA)
	}
	lines = append(lines, whoIsAnswered(e.Explanation, memories)...)
	lines = append(lines, whatIsMissing(memories)...)
	lines = append(lines, whatWasRefused(memories)...)
	for _, route := range e.Routes {
		lines = append(lines, whoIsAsked(route, e.TrustAD))
	}
	lines = append(lines, e.Postfix)
	if e.Verdict != nil {
		lines = append(lines, fmt.Sprintf("The prober's last word, %s ago: %s.", Duration(e.At.Sub(e.Verdict.At)), strings.TrimSuffix(e.Verdict.Text, ".")))
	}
	return lines
}

// groups collects names under what is said of them, in the order in which it is first said.
type groups struct {
	order []string
	names map[string][]string
}

func (g *groups) add(text string, m resolver.Memory) {
	if g.names == nil {
		g.names = map[string][]string{}
	}
	if g.names[text] == nil {
		g.order = append(g.order, text)
	}
	g.names[text] = append(g.names[text], question(m))
}

// lines are the groups, a line each.
func (g *groups) lines() (lines []string) {
	for _, text := range g.order {
		lines = append(lines, text+": "+strings.Join(g.names[text], ", ")+".")
	}
	return lines
}

// whoIsAnswered says whom the glue answers: an answer answers everybody.
func whoIsAnswered(e resolver.Explanation, memories []resolver.Memory) []string {
	var g groups
	for _, m := range memories {
		k := m.Best()
		switch {
		case m.Source != "glue" || m.State != resolver.Live:
		case e.GlueForAll:
			g.add("Glue answers every client (cache.glue_scope), but none that asks for DNSSEC (DO, AD)", m)
		case !k.Client.IsValid():
			g.add("Glue answers nobody but mxglue itself, which asked for the MX", m)
		default:
			g.add(fmt.Sprintf("Glue answers only %s, which was sent it with the MX answer, and no query for DNSSEC (DO, AD); others make upstream be asked", k.Client), m)
		}
	}
	if e.Glue != cache.Trust && e.Glue != "" {
		return append(g.lines(), fmt.Sprintf("cache.glue is %s: no glue answers anybody.", e.Glue))
	}
	return g.lines()
}

// whatIsMissing says what would have to be asked upstream. TLSA is asked for by those that do DANE only.
func whatIsMissing(memories []resolver.Memory) []string {
	var g groups
	for _, m := range memories {
		switch {
		case !m.Missing():
		case m.Type == "TLSA":
			g.add("Missing, if a client does DANE", m)
		case m.State == resolver.Stale:
			g.add("Ended, and given again only if upstream fails", m)
		default:
			g.add("Missing, and to be asked upstream", m)
		}
	}
	return g.lines()
}

// refusals are the guards against glue (cache.glue_refused in /stats) in words.
var refusals = map[string]string{
	"checking_disabled": "it was asked with CD",
	"too_many":          "there are more than 8 exchangers, or addresses of one",
	"malformed":         "it is no address",
	"special_use":       "no mail may go to such an address (cache.glue_private)",
	"not_recursive":     "the upstream is no recursive resolver (RA=0)",
	"truncated":         "the response was truncated",
	"authoritative":     "the upstream spoke as an authority (AA=1) of another domain's host",
	"oversize":          "the datagram was so large that it may have come in fragments",
	"contradicts":       "an answer says otherwise",
	"no_ttl":            "its TTL is 0",
	"configured":        "the host's answers are configured",
	"claimed":           "another MX owner says otherwise",
}

// whatWasRefused says whose words of a host contradict, and why addresses that came along are no glue.
func whatWasRefused(memories []resolver.Memory) []string {
	var g groups
	for _, m := range memories {
		c := m.Claim
		switch {
		case c == nil:
		case c.Barred > 0:
			g.add(fmt.Sprintf("No glue for %s, because %s and %s do not say the same of it",
				Duration(time.Duration(c.Barred)*time.Second), mxOwner(*c), bare(c.Rival)), m)
		case c.Refused != "":
			why, ok := refusals[c.Refused]
			if !ok {
				why = c.Refused
			}
			g.add(fmt.Sprintf("Came with the MX answer of %s and is no glue, because %s", mxOwner(*c), why), m)
		}
	}
	return g.lines()
}

// whoIsAsked says which upstreams a route has, in order, and how they do.
func whoIsAsked(route resolver.RouteNow, trustAD bool) string {
	var parts []string
	for _, u := range route.Upstreams {
		how := state(u)
		switch how {
		case failing, down:
			how += ": " + reason(u)
		case answering:
			how += fmt.Sprintf(", %s", Duration(milliseconds(u.RTTms)))
		}
		if u.Validates && !u.Trusted && !trustAD {
			how += ", its AD bit not passed on (resolver.dnssec)"
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", u.Address, how))
	}
	how := map[resolver.Policy]string{resolver.Race: " and ", resolver.Fastest: ", then ", resolver.InOrder: ", then "}[route.Policy]
	of := ""
	if route.Zone != "." {
		of = " below " + route.Zone
	}
	return "Upstream" + of + ": " + strings.Join(parts, how) + "."
}
