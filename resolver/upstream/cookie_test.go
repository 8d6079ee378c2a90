package upstream

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// withCookie gives a message a COOKIE option, in an OPT of its own if it has none.
func withCookie(m *dns.Msg, cookie string) *dns.Msg {
	if m.IsEdns0() == nil {
		m.SetEdns0(1232, true)
	}
	opt := m.IsEdns0()
	opt.Option = append(opt.Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie})
	return m
}

// Two server cookies of legal length, 16 octets each.
var (
	serverCookie  = strings.Repeat("5e", 16)
	serverCookie2 = strings.Repeat("77", 16)
)

// bakery is a server with cookies: it notes what it is sent, and gives what it is told to.
type bakery struct {
	mu       sync.Mutex
	udp, tcp []string // the cookies that came, in order
	give     []string // the server cookies for the next responses over UDP; "" is no cookie at all
	bad      int      // how many of the first responses say BADCOOKIE
}

func (b *bakery) overUDP(q query) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sent := cookieOf(q.Msg)
	b.udp = append(b.udp, sent)
	m := q.reply(right)
	if b.give[0] != "" {
		withCookie(m, sent[:clientCookieLen]+b.give[0])
	}
	if len(b.give) > 1 {
		b.give = b.give[1:]
	}
	if len(b.udp) <= b.bad {
		m.Rcode, m.Answer = dns.RcodeBadCookie, nil
	}
	q.say(m)
}

func (b *bakery) overTCP(q query) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tcp = append(b.tcp, cookieOf(q.Msg))
	answerRight(q)
}

// came returns the cookies that came over UDP and over TCP.
func (b *bakery) came() (udp, tcp []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.udp, b.tcp
}

// Before the server has given a cookie, each query has a client cookie of its own (RFC 9018 §8.1); a server that gives
// none is fine.
func TestCookiesUnknown(t *testing.T) {
	b := bakery{give: []string{""}}
	u, ctx := open(t, "udp", play(t, "127.0.0.1", b.overUDP, nil)), soon(t)
	for range 20 {
		r, err := u.Exchange(ctx, question, false)
		checkAnswer(t, r, err, true, right)
	}
	came, _ := b.came()
	slices.Sort(came)
	for _, cookie := range came {
		if len(cookie) != clientCookieLen {
			t.Errorf("client cookie %q", cookie)
		}
	}
	if st := u.Stats(); len(slices.Compact(came)) != 20 || st.Mismatched != 0 {
		t.Errorf("not 20 different cookies for 20 queries: %q; %+v", came, st)
	}
}

// The server's cookie goes back to it with every query, the newest one, together with the client cookie it was made for.
func TestCookies(t *testing.T) {
	b := bakery{give: []string{serverCookie, serverCookie2}}
	u, ctx := open(t, "udp", play(t, "127.0.0.1", b.overUDP, nil)), soon(t)
	for range 4 {
		r, err := u.Exchange(ctx, question, false)
		checkAnswer(t, r, err, true, right)
	}
	came, _ := b.came()
	client := came[0]
	if want := []string{client, client + serverCookie, client + serverCookie2, client + serverCookie2}; !slices.Equal(came, want) {
		t.Errorf("cookies sent: %q, want %q", came, want)
	}
	if st := u.Stats(); st.Mismatched != 0 || st.TCP != 0 {
		t.Errorf("stats: %+v", st)
	}
}

// A response with another client cookie is a lie, and so is one whose cookie has no legal length (RFC 7873 §5.3).
func TestWrongCookie(t *testing.T) {
	for name, spoil := range map[string]func(sent string) string{
		"another's":            func(string) string { return strings.Repeat("00", 8) + serverCookie },
		"another's, no server": func(string) string { return strings.Repeat("00", 8) },
		"too short":            func(sent string) string { return sent[:clientCookieLen-2] },
		"server's too short":   func(sent string) string { return sent + strings.Repeat("5e", 7) },
		"server's too long":    func(sent string) string { return sent + strings.Repeat("5e", 33) },
	} {
		t.Run(name, func(t *testing.T) {
			u, r, err := exchange(t, "udp", play(t, "127.0.0.1", func(q query) {
				for range 2 {
					q.say(withCookie(q.reply(wrong), spoil(cookieOf(q.Msg))))
				}
				q.say(withCookie(q.reply(right), cookieOf(q.Msg)+serverCookie))
			}, nil))
			checkAnswer(t, r, err, true, right)
			if st := u.Stats(); st.Mismatched != 2 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// From a server known to give cookies, a response without one may be forged: TCP tells. If there is none there either,
// the server gives no cookies any more, and UDP is good again.
func TestCookieMissing(t *testing.T) {
	b := bakery{give: []string{serverCookie, ""}}
	u, ctx := open(t, "udp", play(t, "127.0.0.1", b.overUDP, b.overTCP)), soon(t)
	for _, udp := range []bool{true, false, true, true} {
		r, err := u.Exchange(ctx, question, false)
		checkAnswer(t, r, err, udp, right)
	}
	if udp, tcp := b.came(); len(tcp) != 1 || tcp[0] != udp[0]+serverCookie || len(udp[3]) != clientCookieLen {
		t.Errorf("cookies over UDP %q, TCP %q", udp, tcp)
	}
	if st := u.Stats(); st.Mismatched != 1 || st.TCP != 1 || st.Failures != 0 {
		t.Errorf("stats: %+v", st)
	}
}

// BADCOOKIE: once more with the cookie that came along, then over TCP (RFC 7873 §5.3).
func TestBadCookie(t *testing.T) {
	for name, times := range map[string]int{"once": 1, "for ever": 1000} {
		t.Run(name, func(t *testing.T) {
			b := bakery{give: []string{serverCookie}, bad: times}
			u, r, err := exchange(t, "udp", play(t, "127.0.0.1", b.overUDP, b.overTCP))
			checkAnswer(t, r, err, times == 1, right)
			if udp, tcp := b.came(); len(udp) != 2 || udp[1] != udp[0]+serverCookie || len(tcp) != min(1, times-1) {
				t.Errorf("cookies over UDP %q, TCP %q", udp, tcp)
			}
			if st := u.Stats(); st.Failures != 0 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// A pair is used for cookieLife; then it is drawn anew, and the server's is not sent with another's client cookie.
func TestCookieRenewed(t *testing.T) {
	var c cookies
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	next := func() string {
		m := newQuery(question, false)
		c.put(m, now)
		c.put(m, now) // which replaces
		if n := len(m.IsEdns0().Option); n != 1 {
			t.Fatalf("%d options", n)
		}
		sent := cookieOf(m)
		c.learn(m, withCookie(new(dns.Msg), sent[:clientCookieLen]+serverCookie), now)
		return sent
	}
	client := next()
	for range 24 {
		if got := next(); got != client+serverCookie {
			t.Fatalf("sent %q, want %q", got, client+serverCookie)
		}
		now = now.Add(time.Hour)
	}
	now = now.Add(time.Second)
	if got := next(); len(got) != clientCookieLen || got == client {
		t.Errorf("after a day: sent %q, the first was %q", got, client)
	}
}

// Whose connection is encrypted needs no cookie (TestPadding sees to TLS and HTTPS), and who has no EDNS gets none.
func TestNoCookieWithoutEDNS(t *testing.T) {
	var c cookies
	plain := &dns.Msg{Question: []dns.Question{question}}
	c.put(plain, time.Now())
	c.learn(plain, withCookie(new(dns.Msg), strings.Repeat("00", 8)+serverCookie), time.Now())
	if len(plain.Extra) != 0 || c.client != "" {
		t.Errorf("query %v, cookies %q", plain, c.client+c.server)
	}
}
