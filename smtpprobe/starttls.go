package smtpprobe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Bounds of a served chain that is kept: real ones have 2 to 4 certificates of 1 to 2 KiB.
const (
	maxChain      = 10
	maxChainBytes = 64 << 10
)

// handshake is what came of TLS on one connection, before anybody's demands are held against it. It does not
// change once the connection is closed, and may be shared by several exchangers and domains.
type handshake struct {
	offered    bool
	injected   int    // octets that followed the 220 of STARTTLS
	serverName string // SNI
	done       bool
	err        error // why it was not done
	state      tls.ConnectionState
	chain      []*x509.Certificate // state.PeerCertificates, bounded
	legacy     string              // outcome of tryLegacy
}

// startTLS asks for TLS if it is offered, has the handshake, and says EHLO again: "the client MUST discard any
// knowledge obtained from the server" (RFC 3207 4.2). It tells whether the dialogue can go on.
func (s *session) startTLS(ctx context.Context) bool {
	h := &handshake{offered: slices.Contains(s.attempt.Extensions, "STARTTLS"), serverName: s.serverName}
	s.attempt.handshake = h
	if !h.offered && !s.opt.ForceStartTLS {
		return true
	}
	start := time.Now()
	rep, err := s.command(ctx, "STARTTLS", s.opt.Timeouts.Hello)
	switch {
	case err != nil:
		h.err = fmt.Errorf("STARTTLS fails (%s)", describe(err))
		return false
	case rep.code != 220: // 454: "TLS not available due to temporary reason" (RFC 3207 4)
		h.err = fmt.Errorf("STARTTLS is answered with %d %s", rep.code, escapeLine(rep.lines))
		return rep.code != 421
	}
	// What stands in the buffer now was sent in clear, by whomever, to be taken for the server's words under
	// TLS (CVE-2011-0411 and its kin). It is counted, and neither the handshake nor the reader after it sees it.
	h.injected = s.replies.in.Buffered()
	ok := s.secure(ctx)
	s.attempt.MS.TLS = milliseconds(time.Since(start))
	if !ok {
		return false
	}
	verb, extensions := s.hello(ctx)
	s.attempt.ExtensionsTLS = extensions
	return verb != ""
}

// secure has the handshake. With true the session goes on under TLS; with false it is lost.
func (s *session) secure(ctx context.Context) bool {
	h := s.attempt.handshake
	ctx, cancel := context.WithTimeout(ctx, s.opt.Timeouts.TLS)
	defer cancel()
	conn := tls.Client(s.socket, s.tlsConfig)
	if err := s.socket.SetDeadline(time.Time{}); err != nil { // that of the last reply
		h.err, s.lost = err, true
		return false
	}
	if h.err = conn.HandshakeContext(ctx); h.err != nil {
		s.record("-- TLS fails: %s", describe(h.err))
		s.lost = true
		return false
	}
	h.done = true
	h.keep(conn.ConnectionState()) // in TLS 1.2 the key exchange comes after the certificate
	s.record("-- %s %s", tls.VersionName(h.state.Version), tls.CipherSuiteName(h.state.CipherSuite))
	s.conn, s.replies = conn, newReplyReader(conn)
	return true
}

// modern is the handshake of today's senders: what crypto/tls offers from TLS 1.2 on. Whatever certificate
// comes is taken, so that one handshake serves all verdicts; certificate.go looks at it.
func (s *session) modern() *tls.Config {
	return &tls.Config{
		ServerName:         s.serverName,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			s.attempt.handshake.keep(state)
			return nil
		},
	}
}

// keep keeps what the peer served, within bounds.
func (h *handshake) keep(state tls.ConnectionState) {
	size := 0
	h.chain = nil
	for _, c := range state.PeerCertificates {
		if size += len(c.Raw); len(h.chain) < maxChain && size <= maxChainBytes {
			h.chain = append(h.chain, c)
		}
	}
	h.state = tls.ConnectionState{Version: state.Version, CipherSuite: state.CipherSuite, CurveID: state.CurveID}
}

// failure says why there is no TLS.
func (h *handshake) failure() string {
	if h.err == nil {
		return "STARTTLS is not offered"
	}
	text := h.err.Error()
	var record tls.RecordHeaderError
	switch {
	case errors.As(h.err, &record):
		return "the handshake fails: what it says is not TLS"
	case errors.Is(h.err, context.DeadlineExceeded), isTimeout(h.err):
		return "the handshake does not end in time"
	case strings.Contains(text, "failed to parse certificate"):
		return "the handshake fails: its certificate cannot be read (" + describe(h.err) + ")"
	case strings.Contains(text, "handshake failure"), strings.Contains(text, "protocol version"), strings.Contains(text, "insufficient security"):
		return "the handshake fails: no common TLS 1.2+ parameters with a modern client (" + describe(h.err) + ")"
	case strings.HasPrefix(text, "STARTTLS"):
		return text
	}
	return "the handshake fails (" + describe(h.err) + ")"
}

// tryLegacy connects once more where STARTTLS was offered and the handshake failed, and offers all that
// crypto/tls still knows, from TLS 1.0 on. Only where it is asked for: it is the one connection that does not
// keep the pause between two.
func (r *run) tryLegacy(ctx context.Context, to netip.AddrPort, first *session) {
	h := first.attempt.handshake
	if !r.opt.Legacy || h == nil || !h.offered || h.done || !first.lost {
		return
	}
	conn, err := r.dialWithin(ctx, to.String())
	if err != nil {
		h.legacy = "no second connection (" + describe(err) + ")"
		return
	}
	second := r.newSession(conn, first.serverName, &Attempt{})
	second.tlsConfig.MinVersion = tls.VersionTLS10
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		second.tlsConfig.CipherSuites = append(second.tlsConfig.CipherSuites, suite.ID)
	}
	second.converse(ctx)
	switch got := second.attempt.handshake; {
	case got != nil && got.done:
		h.legacy = tls.VersionName(got.state.Version) + " " + tls.CipherSuiteName(got.state.CipherSuite)
	case got != nil:
		h.legacy = "fails too: " + got.failure()
	default:
		h.legacy = "no second dialogue (" + string(second.attempt.Verdict) + ")"
	}
}
