package upstream

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// The lengths of a COOKIE option's parts (RFC 7873 §4), in hexadecimal digits, as miekg/dns has them.
const (
	clientCookieLen = 2 * 8
	minServerCookie = 2 * 8
	maxServerCookie = 2 * 32
)

// cookieLife is how long a client cookie is used. A server recognises its clients by it; a day is what RFC 7873 §7.1 gives
// the secret behind it.
const cookieLife = 24 * time.Hour

// cookies is the pair of cookies that an upstream knows us by. As long as the server has given none, each query carries
// a client cookie of its own, so that nobody can follow us by one that is good for nothing else (RFC 9018 §8.1).
// Deviation from that section: the pair is not renewed when our own address changes, which the sockets do not tell.
type cookies struct {
	mu             sync.Mutex
	client, server string    // empty until the server gives its cookie
	drawn          time.Time // when client was
}

// put sets the COOKIE option of a query. One without EDNS stays as it is.
func (c *cookies) put(m *dns.Msg, now time.Time) {
	opt := m.IsEdns0()
	if opt == nil {
		return
	}
	opt.Option = slices.DeleteFunc(opt.Option, func(o dns.EDNS0) bool { return o.Option() == dns.EDNS0COOKIE })
	opt.Option = append(opt.Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: c.next(now)})
}

// next returns the cookie for a query, client's and server's, in hexadecimal digits.
func (c *cookies) next(now time.Time) string {
	var room [clientCookieLen + maxServerCookie]byte
	return hex.EncodeToString(c.append(room[:0], now))
}

// append appends the octets of the cookie for a query.
func (c *cookies) append(dst []byte, now time.Time) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.drawn) > cookieLife {
		c.client, c.server = "", ""
	}
	if c.client != "" {
		dst, _ = hex.AppendDecode(dst, []byte(c.client)) // they are always digits
		dst, _ = hex.AppendDecode(dst, []byte(c.server))
		return dst
	}
	var room [clientCookieLen / 2]byte
	dst = append(dst, room[:]...)
	rand.Read(dst[len(dst)-len(room):]) // never fails: crypto/rand ends the program instead
	return dst
}

// learn keeps the server cookie of a response that matched query. A response without one, which reaches here over TCP
// only if query carried the server's, means that the server gives none any more.
func (c *cookies) learn(query, response *dns.Msg, now time.Time) {
	sent, got := cookieOf(query), cookieOf(response)
	if sent == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch client := sent[:clientCookieLen]; {
	case len(got) > clientCookieLen:
		if client != c.client {
			c.client, c.drawn = client, now
		}
		c.server = got[clientCookieLen:]
	case client == c.client:
		c.client, c.server = "", ""
	}
}

// sameCookie says whether the response's cookie is not another's than the query's: a wrong client cookie, or one of no
// legal length, is discarded (RFC 7873 §5.3). Servers need not know cookies: none at all is not wrong.
func sameCookie(query, response *dns.Msg) bool {
	sent, got := cookieOf(query), cookieOf(response)
	if sent == "" || got == "" {
		return true
	}
	server := len(got) - clientCookieLen
	return server >= 0 && got[:clientCookieLen] == sent[:clientCookieLen] &&
		(server == 0 || server >= minServerCookie && server <= maxServerCookie)
}

// owesCookie says whether the response leaves out the cookie that the server has given before (RFC 7873 §5.3).
func owesCookie(query, response *dns.Msg) bool {
	return len(cookieOf(query)) > clientCookieLen && cookieOf(response) == ""
}

// cookieOf returns the COOKIE option of a message in hexadecimal digits; empty if there is none.
func cookieOf(m *dns.Msg) string {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if cookie, ok := o.(*dns.EDNS0_COOKIE); ok {
				return cookie.Cookie
			}
		}
	}
	return ""
}
