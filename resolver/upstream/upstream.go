package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// Upstream is one resolver that questions are forwarded to. It is safe for use by many goroutines. The exported fields
// are to be set before the first Exchange.
type Upstream struct {
	RootCAs  *x509.CertPool // who may vouch for a tls or https upstream; nil means the system's
	Case0x20 bool           // spell the question in random case over UDP (draft-vixie-dnsext-dns0x20)

	// Lookup finds the addresses of an https upstream whose own address has no ip= in it. It must not ask that upstream.
	// Nil: such an upstream fails, and says so.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

	target
	pool     pool                   // TCP and TLS
	http     *http.Transport        // HTTPS
	sessions tls.ClientSessionCache // to be resumed
	cookies  cookies
	resting  resting // sockets of the quick way
	silence  time.Duration
	dial     func(ctx context.Context, network, address string) (net.Conn, error) // nil means net.Dialer's
	counters
}

// counters are what Stats tells.
type counters struct {
	queries, failures, mismatched, overTCP, connections atomic.Uint64

	validates atomic.Bool
	rtt       atomic.Int64 // smoothed round trip, ns; 0 before the first
	times     Histogram    // of round trips

	mu        sync.Mutex
	lastError string // guarded by mu; empty after a response
}

// Response is what an upstream said.
type Response struct {
	Msg  *dns.Msg
	Size int  // octets on the wire
	UDP  bool // it came in a datagram
}

// New returns the upstream at an address of one of these forms:
//
//	udp://ip:port                          UDP, and TCP for what is too long for it (RFC 1035, RFC 7766)
//	tcp://ip:port                          TCP only
//	tls://ip[:port][#name]                 DNS over TLS (RFC 7858), port 853; without a name, the certificate must be
//	                                       for the IP address
//	https://host[:port]/path[?ip=address]  DNS over HTTPS (RFC 8484), port 443; ip, which may be repeated, is where the
//	                                       host is, and is not sent
//
// Any other form is an error that says so.
func New(address string) (*Upstream, error) {
	t, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	u := &Upstream{target: t, silence: silence, sessions: tls.NewLRUClientSessionCache(maxConns)}
	u.pool.connect, u.pool.mismatched = u.connect, &u.mismatched
	if t.scheme == schemeHTTPS {
		u.http = u.newTransport()
	}
	return u, nil
}

// Close ends the connections that are kept for later queries, and what still waits on them over TCP and TLS. An Exchange
// after it opens new ones.
func (u *Upstream) Close() {
	u.pool.close()
	u.resting.close()
	if u.http != nil {
		u.http.CloseIdleConnections()
	}
}

// String returns the address as it was configured.
func (u *Upstream) String() string { return u.address }

// RTT returns the smoothed round trip, 0 before the first response.
func (u *Upstream) RTT() time.Duration { return time.Duration(u.rtt.Load()) }

// Exchange asks the upstream one question with recursion, DO and, if cd is set, CD, and returns the response that
// matches it. Errors: the context's, a network error, or what made the response unreadable; each names the upstream.
func (u *Upstream) Exchange(ctx context.Context, q dns.Question, cd bool) (*Response, error) {
	return u.exchangeFrom(ctx, q, cd, time.Now(), u.exchangeUDP)
}

// exchangeFrom is an Exchange that began at the given instant. firstUDP does the first round trip if that is over UDP.
func (u *Upstream) exchangeFrom(ctx context.Context, q dns.Question, cd bool, start time.Time, firstUDP roundTrip) (*Response, error) {
	r, err := u.exchange(ctx, newQuery(q, cd), firstUDP)
	if err == nil && r.Msg.Rcode == dns.RcodeFormatError && r.Msg.IsEdns0() == nil {
		plain := newQuery(q, cd)
		plain.Extra = nil // the server is older than EDNS (RFC 6891 §7)
		r, err = u.exchange(ctx, plain, u.exchangeUDP)
	}
	if err == nil && r.Msg.Truncated {
		err = errTruncated
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

// roundTrip asks one query.
type roundTrip func(ctx context.Context, m *dns.Msg) (*Response, error)

// errTruncated is what a response is called that has TC set although it did not come over UDP: the rest cannot be had.
var errTruncated = errors.New("response is truncated, and not over UDP")

// ednsSize is the largest response asked for over UDP, octets: what passes without fragments nearly everywhere.
const ednsSize = 1232

func newQuery(q dns.Question, cd bool) *dns.Msg {
	m := &dns.Msg{Question: []dns.Question{q}}
	m.RecursionDesired, m.CheckingDisabled = true, cd
	m.SetEdns0(ednsSize, true)
	return m
}

// exchange asks by the upstream's transport. Cookies are for those that anybody may write to (RFC 7873 §2, §3).
func (u *Upstream) exchange(ctx context.Context, m *dns.Msg, firstUDP roundTrip) (*Response, error) {
	switch u.scheme {
	case schemeHTTPS:
		return u.exchangeHTTPS(ctx, m)
	case schemeTLS:
		return u.exchangeTCP(ctx, m)
	}
	u.cookies.put(m, time.Now())
	if u.scheme == schemeUDP {
		r, err := firstUDP(ctx, m)
		if badCookie(r) {
			u.cookies.put(m, time.Now()) // the one that came with the response
			if r, err = u.exchangeUDP(ctx, m); badCookie(r) {
				err = errUseTCP // RFC 7873 §5.3
			}
		}
		if !errors.Is(err, errUseTCP) {
			return r, err
		}
	}
	return u.exchangeTCP(ctx, m)
}

// badCookie says whether the server wants the query again, with the cookie that it gives (RFC 7873 §5.3).
func badCookie(r *Response) bool { return r != nil && r.Msg.Rcode == dns.RcodeBadCookie }

// answered notes a response. SERVFAIL and REFUSED are failures: another upstream is asked.
func (u *Upstream) answered(m *dns.Msg, rtt time.Duration) {
	u.timed(rtt)
	if m.AuthenticatedData {
		u.validates.Store(true)
	}
	if !Usable(m) {
		u.failed(dns.RcodeToString[m.Rcode])
		return
	}
	u.setError("")
}

// timed takes a round trip into the smoothed one, and counts it.
func (u *Upstream) timed(rtt time.Duration) {
	u.times.Observe(rtt)
	if old := u.rtt.Load(); old == 0 {
		u.rtt.Store(int64(rtt))
	} else {
		u.rtt.Store(old - old/8 + int64(rtt)/8) // RFC 6298's gain; a lost update between two goroutines does no harm
	}
}

// Usable says whether a response settles the question: there is data, or there is none, or no such name. Any other
// RCODE is the upstream's trouble, not the name's; and so is a referral (RA=0, no answer, no SOA), by which a server says
// that it does not look things up. Taken for "no such record" it would make a mail server return mail.
func Usable(m *dns.Msg) bool {
	switch m.Rcode {
	case dns.RcodeNameError:
		return true
	case dns.RcodeSuccess:
		return m.RecursionAvailable || len(m.Answer) > 0 ||
			slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA })
	}
	return false
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
		Trusted: u.Trusted(), Connections: u.connections.Load(), Times: u.times.Times(),
	}
}
