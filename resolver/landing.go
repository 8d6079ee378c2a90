package resolver

import (
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
)

// fly asks the question and lands the flight. It has a budget of its own: those who wait come and go. begun is the question
// on its way to an upstream already, or nil.
func (r *Resolver) fly(f *flight, begun *begun) {
	question, ok := unpack([]byte(f.key))
	if !ok { // a question that came off the wire unpacks
		begun.end()
		r.land(f, r.cache.Failure(dns.Question{Name: ".", Qclass: dns.ClassINET}, f.from, nil, time.Now()), 0)
		return
	}
	r.land(f, r.settle(f.settings, question, f.from, begun), question.Qtype)
}

// land gives the flight its entry, for all who wait.
func (r *Resolver) land(f *flight, e *cache.Entry, qtype uint16) {
	if f.from.By == cache.ByRefresh {
		r.stats.refreshes.Add(1)
	}
	if f.settings.Bundle && qtype == dns.TypeMX {
		r.lead(f, e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flights[f.key] == f { // else it began before Reconfigure
		delete(r.flights, f.key)
	}
	f.entry = e
	if f.done != nil {
		close(f.done)
	}
}

// maxLanded is the most flights that are kept for the next questions: as many as are commonly up at a time.
const maxLanded = 64

// spare keeps the memory of a flight that has landed for another question, unless somebody has joined it: he may look at it still.
// Only find may call it, for a flight that it has booked itself and that nobody else was given.
func (r *Resolver) spare(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.joined == 0 && len(r.landed) < maxLanded {
		*f = flight{} // it holds on to nothing
		r.landed = append(r.landed, f)
	}
}

// lead begins the bundle of an MX answer at once if somebody waits for the answer, and will ask for the addresses next. For the
// other reasons the first hit that has them begins a round.
func (r *Resolver) lead(f *flight, mx *cache.Entry) {
	r.mu.Lock()
	waited, who := f.waited, f.who
	r.mu.Unlock()
	for _, why := range bundleReasons {
		if !waited || why != r.cache.BundleReason(mx, who) {
			r.cache.SetWake(mx, why, time.Now())
		}
	}
	if waited {
		r.round(mx, who)
	}
}

// unpack reads the question back from a cache key, whose class is IN.
func unpack(key []byte) (dns.Question, bool) {
	name, off, err := dns.UnpackDomainName(key, 0)
	if err != nil || off+5 != len(key) {
		return dns.Question{}, false
	}
	return dns.Question{Name: name, Qtype: uint16(key[off])<<8 | uint16(key[off+1]), Qclass: dns.ClassINET}, true
}
