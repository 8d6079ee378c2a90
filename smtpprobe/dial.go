package smtpprobe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// atOnce is the time within which ENETUNREACH is our own kernel's word, not a router's: no packet left.
const atOnce = 10 * time.Millisecond

const cutShort = "cut short by the caller"

// connect makes one connection and has the whole dialogue over it. serverName is the SNI. reached: not all of
// it failed on our side.
func (r *run) connect(ctx context.Context, to netip.AddrPort, serverName string) (a Attempt, reached bool) {
	a = Attempt{Address: to.Addr(), Port: to.Port()}
	whole, cancel := context.WithTimeout(ctx, r.opt.Timeouts.Address)
	defer cancel()
	start := time.Now()
	conn, err := r.dialWithin(whole, to.String())
	took := time.Since(start)
	if err == nil {
		a.MS.Connect = milliseconds(took)
		s := r.newSession(conn, serverName, &a)
		s.converse(whole)
		r.tryLegacy(whole, to, s)
	} else {
		a.Verdict, a.Detail = dialVerdict(err, took), describe(err)
	}
	if isCut(ctx) && (a.Verdict == TimeoutConnect || a.Verdict == GreetingTimeout) {
		a.Verdict, a.Detail = LocalError, cutShort // our time was up, not the peer's
	}
	return a, err == nil || a.Verdict != LocalError
}

// dialWithin dials under the connect timeout.
func (r *run) dialWithin(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opt.Timeouts.Connect)
	defer cancel()
	if r.prober.Dial != nil {
		return r.prober.Dial(ctx, "tcp", address)
	}
	d := new(net.Dialer)
	if r.opt.Source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(r.opt.Source, 0))
	}
	return d.DialContext(ctx, "tcp", address)
}

// dialVerdict tells a peer's failure from our own.
func dialVerdict(err error, took time.Duration) Verdict {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNABORTED):
		return Reset
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH) && took >= atOnce:
		return Unreachable
	case isTimeout(err), errors.Is(err, context.Canceled):
		return TimeoutConnect
	}
	return LocalError // no route (ENETUNREACH, EADDRNOTAVAIL), a local firewall, no file descriptors ...
}

// isTimeout tells whether err is a deadline's or TCP's own giving up.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}
