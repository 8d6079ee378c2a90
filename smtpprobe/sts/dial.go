package sts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// maxPerFamily addresses of a policy host are tried, one after the other.
const maxPerFamily = 2

// port is what stands behind the host in the URL.
func (f *Fetcher) port() string {
	if f.Port == 0 || f.Port == 443 {
		return ""
	}
	return ":" + strconv.Itoa(int(f.Port))
}

// dialWithin returns a dialer whose connections end when ctx's time is over. The context that http.Transport
// hands on is not that of the request: neither its end nor its deadline would reach a connection or a
// handshake, and a host that never answers would be held on to for ever.
func (f *Fetcher) dialWithin(ctx context.Context) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, network, hostPort string) (net.Conn, error) {
		conn, err := f.dial(ctx, network, hostPort)
		if err != nil {
			return nil, err
		}
		deadline, _ := ctx.Deadline()
		return conn, conn.SetDeadline(deadline)
	}
}

// dial connects to the policy host, whose addresses come from Exchange. hostPort is as http.Transport has it.
func (f *Fetcher) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	addresses, err := f.addresses(ctx, host)
	for i, address := range addresses {
		var conn net.Conn
		if conn, err = f.connect(ctx, network, net.JoinHostPort(address.String(), port), len(addresses)-i); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// connect tries one address, with its share of the time that is left for so many.
func (f *Fetcher) connect(ctx context.Context, network, address string, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	if f.Dial != nil {
		return f.Dial(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// addresses asks for both families, AAAA first in the list, and leaves out what is blocked. The error tells why
// there is none.
func (f *Fetcher) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	types := [2]uint16{dns.TypeAAAA, dns.TypeA}
	var answers [len(types)]lookup.Answer
	var errs [len(types)]error
	var asked sync.WaitGroup
	for i, qtype := range types {
		asked.Go(func() { answers[i], errs[i] = lookup.Ask(ctx, f.Exchange, host, qtype) })
	}
	asked.Wait()
	var free []netip.Addr
	var refused error
	for _, ans := range answers {
		room := maxPerFamily
		for _, address := range lookup.Addresses(ans.RRs) {
			class := ""
			if f.Blocked != nil {
				class = f.Blocked(address)
			}
			if class != "" {
				refused = fmt.Errorf("%s is a special-use address (%s), not connected to", address, class)
			} else if room > 0 {
				free, room = append(free, address), room-1
			}
		}
	}
	if len(free) > 0 {
		return free, nil
	}
	for _, err := range errs {
		if err != nil && refused == nil {
			return nil, fmt.Errorf("the question for its address failed (%w)", err)
		}
	}
	if refused == nil {
		refused = errors.New("the policy host has no address")
	}
	return nil, refused
}
