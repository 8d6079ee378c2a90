package resolver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// How an upstream that is down is asked whether it is back: every second, and a second long.
const (
	probeEvery   = time.Second
	probeTimeout = time.Second
)

// fastestAgain is how long an upstream may go unasked before the policy fastest has its round trip measured again.
const fastestAgain = 30 * time.Second

// member is an upstream and its health. One that was silent or unreachable once is down: the next question goes to
// another first, and costs nothing. A probe brings it back within about a second of its return.
type member struct {
	*upstream.Upstream
	mu      sync.Mutex
	fallen  chan struct{} // closed while it is down, so that nobody goes on waiting for it
	gone    chan struct{} // closed when it is asked no more: Reconfigure
	lastTry time.Time
	heard   time.Time // when it last answered

	rootAD   bool      // it validated the root's NS when last asked
	stripped sync.Once // says that its AD bit is not passed on
}

// isDown says whether the member is asked last for now. Called with mu held.
func (m *member) isDown() bool {
	select {
	case <-m.fallen:
		return true
	default:
		return false
	}
}

// down is isDown for those who do not hold mu.
func (m *member) down() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.isDown()
}

// rank sorts members: those that are up come first.
func (m *member) rank() int {
	if m.down() {
		return 1
	}
	return 0
}

// falls returns a channel that is closed when the member goes down; nil, which never is, if it is down or nobody.
func (m *member) falls() <-chan struct{} {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isDown() {
		return nil
	}
	return m.fallen
}

// fell notes that the member did not answer a try that began at the given instant, and starts the probe that brings it
// back. One that has answered anything since is not down: a domain whose own servers are silent is not its fault, and
// whom a stranger's domain could declare down, he could have replaced by one that does not validate.
func (r *Resolver) fell(m *member, began time.Time, why error) {
	m.mu.Lock()
	already := m.isDown() || m.heard.After(began)
	if !already {
		close(m.fallen)
	}
	m.mu.Unlock()
	if already || r.ctx.Err() != nil {
		return
	}
	r.log.Warn("upstream does not answer; it is asked last until it does", "upstream", m.String(), "error", why)
	r.background.start(func() { r.bringBack(m) })
}

// bringBack probes until the member answers anything at all.
func (r *Resolver) bringBack(m *member) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for { // at once: it may have been one question only
		if _, err := r.probe(r.ctx, m, probeTimeout); err == nil {
			m.mu.Lock()
			m.fallen = make(chan struct{})
			m.mu.Unlock()
			r.log.Info("upstream answers again", "upstream", m.String())
			return
		}
		select {
		case <-r.ctx.Done():
			return
		case <-m.gone:
			return
		case <-tick.C:
		}
	}
}

// rootNS is a question that every resolver can answer, and that a mail server's DANE probe asks, too.
func rootNS() dns.Question { return dns.Question{Name: ".", Qtype: dns.TypeNS, Qclass: dns.ClassINET} }

// probe asks a member for the root's NS. Any response will do.
func (r *Resolver) probe(ctx context.Context, m *member, timeout time.Duration) (*upstream.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return r.ask(ctx, m, rootNS(), false)
}

// watchEvery is how often each upstream is asked for the root's NS, so that one that has stopped validating is noticed.
const watchEvery = 5 * time.Minute

// Watch asks every upstream for the root's NS, now and every five minutes, until ctx ends, and logs those that do not
// answer and those that have stopped validating. The root is signed, so a validating resolver sets AD; a mail server's
// DANE probe asks the very same, and without AD it does no DANE and says nothing.
func (r *Resolver) Watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		var all sync.WaitGroup
		for _, m := range r.settings.Load().members() {
			all.Go(func() { r.look(ctx, m) })
		}
		all.Wait()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *Resolver) look(ctx context.Context, m *member) {
	resp, err := r.probe(ctx, m, r.settings.Load().Budget)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.log.Warn("upstream does not answer; is the address right, does it run, does a firewall stand between? (resolver.upstreams)", "upstream", m.String(), "error", err)
	case len(resp.Msg.Answer) > 0:
		if resp.Msg.AuthenticatedData {
			r.cache.SawAD()
		}
		m.mu.Lock()
		stopped := m.rootAD && !resp.Msg.AuthenticatedData
		m.rootAD = resp.Msg.AuthenticatedData
		m.mu.Unlock()
		if stopped {
			m.StoppedValidating()
			r.log.Error("upstream has stopped validating DNSSEC: mail servers that ask through it do no DANE any more, and do not say so", "upstream", m.String())
		}
	}
}

// asked notes when the member was asked, and when it answered, unless that is the zero time.
func (m *member) asked(began, heard time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastTry = began
	if !heard.IsZero() {
		m.heard = heard
	}
}

// ask does one exchange.
func (r *Resolver) ask(ctx context.Context, m *member, q dns.Question, cd bool) (*upstream.Response, error) {
	began := time.Now()
	m.asked(began, time.Time{})
	exchange := m.Exchange
	if r.Ask != nil {
		exchange = func(ctx context.Context, q dns.Question, cd bool) (*upstream.Response, error) {
			return r.Ask(ctx, m.Upstream, q, cd)
		}
	}
	resp, err := exchange(ctx, q, cd)
	if err == nil {
		m.asked(began, time.Now())
	}
	return resp, err
}

// unreachable says whether an error means that the upstream cannot be spoken with, not that it spoke badly, or that this
// host has run out of something.
func unreachable(err error) bool {
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS):
		return false
	}
	return errors.As(err, &network) || errors.As(err, &certificate) || errors.Is(err, context.DeadlineExceeded)
}

// remeasure asks the members that have not been asked for a while, so that the fastest of a moment is not the fastest for
// ever.
func (r *Resolver) remeasure(rt *route) {
	if rt.Policy != Fastest {
		return
	}
	now := time.Now()
	for _, m := range rt.members {
		m.mu.Lock()
		due := now.Sub(m.lastTry) > fastestAgain
		if due {
			m.lastTry = now
		}
		m.mu.Unlock()
		if due {
			r.background.start(func() {
				if _, err := r.probe(r.ctx, m, probeTimeout); err != nil && unreachable(err) {
					r.fell(m, now, err)
				}
			})
		}
	}
}
