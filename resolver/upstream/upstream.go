package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// Upstream is one resolver that questions are forwarded to. It is safe for use by many goroutines.
type Upstream struct {
	address string // as configured
	peer    netip.AddrPort
	tcpOnly bool

	queries, failures, mismatched, overTCP atomic.Uint64
	validates                              atomic.Bool
	rtt                                    atomic.Int64 // smoothed round trip, ns; 0 before the first

	mu        sync.Mutex
	lastError string // guarded by mu; empty after a response
}

// Response is what an upstream said.
type Response struct {
	Msg  *dns.Msg
	Size int  // octets on the wire
	UDP  bool // it came in a datagram
}

// New returns the upstream at an address of the form udp://ip:port or tcp://ip:port. Any other form is an error that
// says so.
func New(address string) (*Upstream, error) {
	scheme, hostport, found := strings.Cut(address, "://")
	peer, err := netip.ParseAddrPort(hostport)
	if !found || err != nil || (scheme != "udp" && scheme != "tcp") {
		return nil, fmt.Errorf("upstream %q: want udp://ip:port or tcp://ip:port", address)
	}
	return &Upstream{address: address, peer: netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()), tcpOnly: scheme == "tcp"}, nil
}

// String returns the address as it was configured.
func (u *Upstream) String() string { return u.address }

// RTT returns the smoothed round trip, 0 before the first response.
func (u *Upstream) RTT() time.Duration { return time.Duration(u.rtt.Load()) }

// Exchange asks the upstream one question with recursion, DO and, if cd is set, CD, and returns the response that
// matches it. Errors: the context's, a network error, or what made the response unreadable; each names the upstream.
func (u *Upstream) Exchange(ctx context.Context, q dns.Question, cd bool) (*Response, error) {
	start := time.Now()
	r, err := u.exchange(ctx, newQuery(q, cd))
	if err == nil && r.Msg.Rcode == dns.RcodeFormatError && r.Msg.IsEdns0() == nil {
		plain := newQuery(q, cd)
		plain.Extra = nil // the server is older than EDNS (RFC 6891 §7)
		r, err = u.exchange(ctx, plain)
	}
	if err != nil {
		if ctx.Err() == nil { // else it is for the caller to say whether this was too late: Overdue
			u.failed(err.Error())
		}
		return nil, fmt.Errorf("upstream %s: %w", u.address, err)
	}
	u.answered(r.Msg, time.Since(start))
	return r, nil
}

// ednsSize is the largest response asked for over UDP, octets: what passes without fragments nearly everywhere.
const ednsSize = 1232

func newQuery(q dns.Question, cd bool) *dns.Msg {
	m := &dns.Msg{Question: []dns.Question{q}}
	m.RecursionDesired, m.CheckingDisabled = true, cd
	m.SetEdns0(ednsSize, true)
	return m
}

func (u *Upstream) exchange(ctx context.Context, m *dns.Msg) (*Response, error) {
	if !u.tcpOnly {
		r, err := u.exchangeUDP(ctx, m)
		if !errors.Is(err, errUseTCP) {
			return r, err
		}
	}
	return u.exchangeTCP(ctx, m)
}

// answered notes a response. SERVFAIL and REFUSED are failures: another upstream is asked.
func (u *Upstream) answered(m *dns.Msg, rtt time.Duration) {
	old := u.rtt.Load()
	if old == 0 {
		u.rtt.Store(int64(rtt))
	} else {
		u.rtt.Store(old - old/8 + int64(rtt)/8) // RFC 6298's gain; a lost update between two goroutines does no harm
	}
	if m.AuthenticatedData {
		u.validates.Store(true)
	}
	if !Usable(m) {
		u.failed(dns.RcodeToString[m.Rcode])
		return
	}
	u.setError("")
}

// Usable says whether a response settles the question: there is data, or there is none, or no such name. Any other
// RCODE is the upstream's trouble, not the name's.
func Usable(m *dns.Msg) bool {
	return m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError
}

// Overdue counts a query as failed that has had no response within wait. It may still come.
func (u *Upstream) Overdue(wait time.Duration) { u.failed(fmt.Sprintf("no response within %v", wait)) }

func (u *Upstream) failed(why string) {
	u.failures.Add(1)
	u.setError(why)
}

func (u *Upstream) setError(why string) {
	u.mu.Lock()
	u.lastError = why
	u.mu.Unlock()
}

// Stats returns the counters since New.
func (u *Upstream) Stats() Stats {
	u.mu.Lock()
	last := u.lastError
	u.mu.Unlock()
	return Stats{
		Address: u.address, Queries: u.queries.Load(), Failures: u.failures.Load(), Mismatched: u.mismatched.Load(),
		TCP: u.overTCP.Load(), RTTms: float64(u.RTT().Microseconds()) / 1000, Validates: u.validates.Load(), LastError: last,
	}
}
