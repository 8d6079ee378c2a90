package monitor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

const (
	// maxKeys is how many keys of an exchanger are remembered: servers behind one address have one each, in
	// turns, and only a key that none of them has shown is news.
	maxKeys = 8
	// maxExchangers is how many the prober tries. Of more it takes some by chance, and chance is no change.
	maxExchangers = 10
)

// Known is what was seen of a domain last: records, keys, policy. What a probe did not look at, or could not
// find out, stays as it was known.
type Known struct {
	MX     []string            `json:"mx,omitempty"`     // "10 mx.example.com", sorted; "." for a null MX
	TLSA   map[string][]string `json:"tlsa,omitempty"`   // by exchanger: "3 1 1 <hex>", sorted
	Keys   map[string][]string `json:"keys,omitempty"`   // by exchanger: SPKI as in a TLSA record, the newest last
	Policy string              `json:"policy,omitempty"` // MTA-STS
	Ends   time.Time           `json:"ends,omitzero"`    // the first certificate to end
	Signed time.Time           `json:"signed,omitzero"`  // the first TLSA signature to end
}

// learn returns what is known after a report, and the changes as events without time and domain.
func (k Known) learn(r smtpprobe.Report) (Known, []Event) {
	next := Known{
		MX: k.MX, Policy: k.Policy, Ends: k.Ends, Signed: k.Signed,
		TLSA: make(map[string][]string), Keys: make(map[string][]string),
	}
	var events []Event
	changed := func(kind Kind, about, what, was, is string) {
		if was != "" && is != "" && was != is {
			events = append(events, Event{
				Kind: kind, About: about, Was: clip(was), Is: clip(is),
				Text: clip(fmt.Sprintf("%s of %s changed: it was %s, and is %s.", what, about, clip(was), clip(is))),
			})
		}
	}
	if mx := mxSet(r); mx != nil {
		changed(MXChanged, r.Domain, "The MX set", strings.Join(k.MX, ", "), strings.Join(mx, ", "))
		next.MX = mx
	}
	if policy := policyOf(r.STS); policy != "" {
		changed(PolicyChanged, r.Domain, "The MTA-STS policy", k.Policy, policy)
		next.Policy = policy
	}
	for _, e := range r.MX { // what was known of others goes
		tlsa, keys := k.TLSA[e.Name], keysOf(e)
		if records := tlsaOf(e.DANE); records != nil {
			changed(TLSAChanged, e.Name, "The TLSA RRset", strings.Join(tlsa, ", "), strings.Join(records, ", "))
			tlsa = records
		}
		known := k.Keys[e.Name]
		for _, key := range keys {
			if len(known) > 0 && !slices.Contains(known, key) {
				changed(KeyChanged, e.Name, "The certificate key", known[len(known)-1], key)
			}
		}
		next.TLSA[e.Name], next.Keys[e.Name] = tlsa, remember(known, keys)
	}
	if len(r.MX) == 0 { // nothing was found out about exchangers
		next.TLSA, next.Keys = k.TLSA, k.Keys
	}
	next.learnEnds(r)
	return next, events
}

// learnEnds notes when certificates and TLSA signatures end, if the report looked at them.
func (k *Known) learnEnds(r smtpprobe.Report) {
	var ends, signed time.Time
	for _, e := range r.MX {
		if e.DANE != nil {
			signed = earlier(signed, e.DANE.SignatureEnds)
		}
		for _, a := range e.Attempts {
			if a.TLS != nil {
				ends = earlier(ends, a.TLS.NotAfter)
			}
		}
	}
	if !ends.IsZero() {
		k.Ends, k.Signed = ends, signed
	}
}

// earlier of two instants, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// mxSet is the MX RRset as text; nil: not found out.
func mxSet(r smtpprobe.Report) []string {
	if r.Verdict == smtpprobe.NullMX {
		return []string{"."}
	}
	if len(r.MX) >= maxExchangers {
		return nil
	}
	var set []string
	for _, e := range r.MX {
		if e.Implicit {
			return []string{"none"}
		}
		set = append(set, fmt.Sprintf("%d %s", e.Preference, e.Name))
	}
	slices.Sort(set)
	return set
}

// tlsaOf is a TLSA RRset as text; nil: not found out.
func tlsaOf(r *dane.Result) []string {
	switch {
	case r == nil:
		return nil
	case r.Status == dane.None:
		return []string{"none"}
	case r.Status != dane.Secure && r.Status != dane.Unusable:
		return nil
	}
	var set []string
	for _, rr := range r.Records {
		set = append(set, fmt.Sprintf("%d %d %d %s", rr.Usage, rr.Selector, rr.MatchingType, rr.Data))
	}
	slices.Sort(set)
	return set
}

// policyOf is an MTA-STS policy as text; "": not found out.
func policyOf(r *sts.Result) string {
	switch {
	case r == nil:
		return ""
	case r.Status == sts.None:
		return "none"
	case r.Status != sts.OK:
		return ""
	}
	return fmt.Sprintf("%s, max_age %d, mx %s, id %s", r.Mode, r.MaxAge, strings.Join(r.MX, " "), r.ID)
}

// keysOf are the keys that the exchanger's addresses have shown, each once.
func keysOf(e smtpprobe.Exchanger) []string {
	var keys []string
	for _, a := range e.Attempts {
		if a.TLS != nil && a.TLS.SPKI != "" && !slices.Contains(keys, a.TLS.SPKI) {
			keys = append(keys, a.TLS.SPKI)
		}
	}
	return keys
}

// remember puts the keys behind the known ones, those seen longest ago first.
func remember(known, keys []string) []string {
	known = slices.DeleteFunc(slices.Clone(known), func(k string) bool { return slices.Contains(keys, k) })
	known = append(known, keys...)
	return known[max(0, len(known)-maxKeys):]
}
