package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// mediaType is that of a DNS message in HTTP (RFC 8484 §6).
const mediaType = "application/dns-message"

// maxAddresses bounds how many addresses of an https upstream are tried for one connection.
const maxAddresses = 8

// newTransport returns what carries queries to an https upstream: HTTP/2 only, whose streams are what pipelining is to
// TLS. It is used without http.Client, so that there are no redirects to follow and no cookies to keep. Proxies of the
// environment are not asked: what goes to them is for other programs.
func (u *Upstream) newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return u.dialHTTPS(ctx) },
		Protocols:      &protocols,
		HTTP2: &http.HTTP2Config{ // a connection that died without a word is found out, and the next query opens another
			SendPingTimeout: 2 * stallAfter,
			PingTimeout:     stallAfter,
		},
		MaxConnsPerHost:        maxConns,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
	}
}

// exchangeHTTPS posts a query (RFC 8484). Its ID is 0, so that HTTP caches see equal questions as equal (§4.1); the
// stream tells whose answer it is.
func (u *Upstream) exchangeHTTPS(ctx context.Context, m *dns.Msg) (*Response, error) {
	m.Id = 0
	if err := pad(m); err != nil {
		return nil, err
	}
	packed, err := m.Pack()
	if err != nil {
		return nil, err
	}
	u.queries.Add(1)
	u.overTCP.Add(1)
	resp, reused, err := u.post(ctx, packed)
	if err != nil && reused && ctx.Err() == nil { // the server closed the connection while it was idle
		resp, _, err = u.post(ctx, packed)
	}
	if err != nil {
		return nil, readError(ctx, err)
	}
	defer resp.Body.Close()
	body, err := readBody(resp)
	if err != nil {
		return nil, readError(ctx, err)
	}
	r, err := parse(m, body)
	if err != nil {
		if errors.Is(err, errMismatch) {
			u.mismatched.Add(1)
		}
		return nil, err
	}
	aged(r, resp.Header.Get("Age"))
	return &Response{Msg: r, Size: len(body)}, nil
}

// post sends one request and says whether its connection had been in use before.
func (u *Upstream) post(ctx context.Context, packed []byte) (resp *http.Response, reused bool, err error) {
	var again atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { again.Store(info.Reused) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url, bytes.NewReader(packed))
	if err != nil {
		return nil, false, err
	}
	req.Header.Set("Content-Type", mediaType)
	req.Header.Set("Accept", mediaType)
	req.Header["User-Agent"] = nil // nobody's business (RFC 8484 §8.2)
	resp, err = u.http.RoundTrip(req)
	return resp, again.Load(), err
}

// readBody returns the DNS message of an HTTP response. Any status but 200 has none (RFC 8484 §4.2.1).
func readBody(resp *http.Response) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %s", resp.Status)
	}
	header := resp.Header.Get("Content-Type")
	if got, _, err := mime.ParseMediaType(header); err != nil || got != mediaType {
		return nil, fmt.Errorf("HTTP content type %q instead of %s: is the path right?", header, mediaType)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, dns.MaxMsgSize+1))
	if err == nil && len(body) > dns.MaxMsgSize {
		err = fmt.Errorf("HTTP body of more than %d octets", dns.MaxMsgSize)
	}
	return body, err
}

// aged takes the seconds that a response has spent in HTTP caches off its TTLs (RFC 8484 §5.1).
func aged(m *dns.Msg, header string) {
	age, err := strconv.ParseUint(header, 10, 32)
	if err != nil {
		return // no Age, or none that can be understood
	}
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if h := rr.Header(); h.Rrtype != dns.TypeOPT { // whose TTL is none
				h.Ttl -= min(h.Ttl, uint32(age))
			}
		}
	}
}

// dialHTTPS connects to the first of the server's addresses that lets us.
func (u *Upstream) dialHTTPS(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	ips, err := u.lookup(ctx)
	if err != nil {
		return nil, err
	}
	var failed []error
	for i, ip := range ips {
		conn, err := u.dialH2(ctx, netip.AddrPortFrom(ip, u.port), len(ips)-i)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

// dialH2 connects to one address within its share of the time that is left.
func (u *Upstream) dialH2(ctx context.Context, peer netip.AddrPort, share int) (net.Conn, error) {
	end, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, time.Until(end)/time.Duration(share))
	defer cancel()
	conn, err := u.dialTLS(ctx, peer, "h2")
	if err != nil {
		return nil, err
	}
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		conn.Close()
		return nil, fmt.Errorf("%s does not offer HTTP/2, which DNS over HTTPS needs here (RFC 8484 §5.2)", peer)
	}
	return conn, nil
}

// NeedsLookup says whether the upstream's address is not known, so that Lookup has to find it.
func (u *Upstream) NeedsLookup() bool { return u.scheme == schemeHTTPS && len(u.ips) == 0 }

// lookup returns the server's addresses: those configured, or what the Lookup field finds.
func (u *Upstream) lookup(ctx context.Context) ([]netip.Addr, error) {
	if len(u.ips) > 0 {
		return u.ips, nil
	}
	if u.Lookup == nil {
		return nil, fmt.Errorf("the address of %s is not known: add ?ip=ADDRESS to the upstream", u.name)
	}
	ips, err := u.Lookup(ctx, u.name)
	if err != nil {
		return nil, fmt.Errorf("looking up %s: %w", u.name, err)
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("looking up %s: it has no address", u.name)
	}
	return ips[:min(len(ips), maxAddresses)], nil
}
