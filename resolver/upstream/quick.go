package upstream

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// Asked is one question on the quick way: over UDP, without unpacking, on the goroutine that has it, for an upstream that
// answers at once. Whatever turns out to be more than that goes on as an Exchange: Resume. It is to be ended by Resume or
// by Done.
type Asked struct {
	upstream *Upstream
	socket   *socket
	coins    [2 + 255]byte // what ID and spelling are drawn from
	query    []byte
	began    time.Time

	got        []byte // the datagram with the query's ID that ended the quick way, plain or not; nil if none came
	mismatched int    // datagrams with another ID before it
	plain      bool   // got is an answer that need not be unpacked: Plain
}

// Ask puts a packed question with recursion, DO and, if cd is set, CD on the quick way now and waits for the answer, at
// most for so long. It returns nil if the upstream is not asked over UDP, has a link-local address, or could not be asked;
// nothing is lost then.
func (u *Upstream) Ask(question []byte, cd bool, now time.Time, wait time.Duration) *Asked {
	if u.scheme != schemeUDP || u.peer.Addr().Zone() != "" {
		return nil
	}
	a := u.rested()
	if a == nil {
		s, err := openSocket(u.peer)
		if err != nil {
			return nil
		}
		a = &Asked{upstream: u, socket: s, query: make([]byte, 0, 512)}
	}
	a.began = now
	a.write(question, cd)
	deadline := now.Add(min(wait, u.silence))
	u.queries.Add(1)
	got, err := a.socket.send(a.query, deadline)
	for {
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return a // its answer may come still
		case err != nil:
			a.close()
			return nil
		case len(got) < wire.HeaderLen || wire.ID(got) != wire.ID(a.query):
			u.mismatched.Add(1)
			if a.mismatched++; a.mismatched == maxMismatched {
				return a
			}
			got, err = a.socket.receive(deadline)
			continue
		}
		a.got = got
		if a.plain = a.isPlain(); a.plain {
			wire.Fold(got[wire.HeaderLen : wire.HeaderLen+len(question)-4])
			wire.Fold(a.query[wire.HeaderLen : wire.HeaderLen+len(question)-4]) // what is resumed is compared again
		}
		return a
	}
}

// Plain returns the response if it is plain: NOERROR or NXDOMAIN of a server that recurses, to the very question that was
// asked, in its spelling, complete, with nothing in its OPT record that has to be looked at; the question is in lower
// case. Else it returns nil. It holds until the Asked is ended.
func (a *Asked) Plain() []byte {
	if !a.plain {
		return nil
	}
	return a.got
}

// Unpack returns the plain response unpacked. Errors: what is wrong with a record of it.
func (a *Asked) Unpack() (*Response, error) {
	m := new(dns.Msg)
	if err := m.Unpack(a.got); err != nil {
		return nil, err
	}
	return &Response{Msg: m, Size: len(a.got), UDP: true}, nil
}

// Done ends the question with its plain response, and notes that there was one.
func (a *Asked) Done(now time.Time) {
	u := a.upstream
	u.timed(now.Sub(a.began))
	if wire.Flags(a.got)&wire.FlagAD != 0 {
		u.validates.Store(true)
	}
	u.setError("")
	a.got, a.mismatched, a.plain = nil, 0, false
	if a.socket.rest() != nil || !u.resting.put(a) {
		a.close()
	}
}

// Resume goes on as Exchange does, with the query that is out and what has come so far.
func (a *Asked) Resume(ctx context.Context) (*Response, error) {
	defer a.close()
	u, query := a.upstream, new(dns.Msg)
	if err := query.Unpack(a.query); err != nil {
		return nil, fmt.Errorf("upstream %s: %w", u.address, err)
	}
	q := query.Question[0]
	q.Name = dns.CanonicalName(q.Name)
	return u.exchangeFrom(ctx, q, query.CheckingDisabled, a.began, func(ctx context.Context, _ *dns.Msg) (*Response, error) {
		return u.awaitUDP(ctx, query, a)
	})
}

// Close ends a question that nobody waits for any more.
func (a *Asked) Close() { a.close() }

func (a *Asked) close() { a.socket.conn.Close() }

// write packs the query: ID, spelling and cookie are drawn anew (RFC 5452 §9, RFC 7873).
func (a *Asked) write(question []byte, cd bool) {
	coins := a.coins[:2+len(question)-4] // for the ID and for each octet of the name
	rand.Read(coins)                     // never fails: crypto/rand ends the program instead
	flags := wire.FlagRD
	if cd {
		flags |= wire.FlagCD
	}
	p := append(a.query[:0], coins[0], coins[1], byte(flags>>8), byte(flags), 0, 1, 0, 0, 0, 0, 0, 1)
	p = append(p, question...)
	name := p[wire.HeaderLen : len(p)-4]
	wire.Fold(name)
	if a.upstream.Case0x20 {
		for i, b := range name {
			if 'a' <= b && b <= 'z' {
				name[i] = b ^ coins[2+i]&0x20
			}
		}
	}
	p = append(p, 0, 0, byte(dns.TypeOPT), ednsSize>>8, ednsSize&0xff, 0, 0, 0x80, 0, 0, 0, 0, byte(dns.EDNS0COOKIE), 0, 0)
	option := len(p)
	p = a.upstream.cookies.append(p, a.began)
	binary.BigEndian.PutUint16(p[option-6:], uint16(4+len(p)-option))
	binary.BigEndian.PutUint16(p[option-2:], uint16(len(p)-option))
	a.query = p
}

// isPlain judges the datagram that has come.
func (a *Asked) isPlain() bool {
	const must = wire.FlagQR | wire.FlagRA
	const mustNot = wire.FlagTC | 0xf<<11 // an opcode
	flags, end := wire.Flags(a.got), wire.HeaderLen+questionLen(a.query)
	rcode := flags & 0xf
	if flags&must != must || flags&mustNot != 0 || rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError ||
		len(a.got) < end || string(a.got[4:6]) != "\x00\x01" || string(a.got[wire.HeaderLen:end]) != string(a.query[wire.HeaderLen:end]) {
		return false
	}
	opts, fits, last := 0, true, end
	whole := wire.Records(a.got, func(r wire.Record) {
		last = r.End
		if r.Type == dns.TypeTSIG {
			fits = false
		}
		if r.Type == dns.TypeOPT {
			opts++
			fits = fits && r.Section == 2 && r.TTL == r.Start+5 && string(a.got[r.TTL:r.TTL+2]) == "\x00\x00" && // extended RCODE, version
				a.knows(a.got[r.TTL+6:r.End])
		}
	})
	return whole && fits && last == len(a.got) && (opts == 1 || opts == 0 && !a.hasServerCookie())
}

// questionLen returns how long the question of a query of ours is, octets.
func questionLen(query []byte) int {
	n := 0
	for query[wire.HeaderLen+n] != 0 {
		n += 1 + int(query[wire.HeaderLen+n])
	}
	return n + 5
}

// cookie returns the cookie of the query, client's and server's.
func (a *Asked) cookie() []byte {
	return a.query[wire.HeaderLen+questionLen(a.query)+wire.OPTLen+4:]
}

func (a *Asked) hasServerCookie() bool { return len(a.cookie()) > clientCookieLen/2 }

// knows says whether the options of a response are none, or the cookie that was sent and nothing else: a server that is
// known to give none, or that has not changed the one it gave.
func (a *Asked) knows(options []byte) bool {
	if len(options) == 0 {
		return !a.hasServerCookie()
	}
	sent := a.cookie()
	return a.hasServerCookie() && len(options) == 4+len(sent) && binary.BigEndian.Uint16(options) == dns.EDNS0COOKIE &&
		int(binary.BigEndian.Uint16(options[2:])) == len(sent) && string(options[4:]) == string(sent)
}
