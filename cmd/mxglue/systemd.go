package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/server"
)

// adoptSockets takes over the sockets that systemd has opened for us, if it has (sd_listen_fds(3)).
func adoptSockets() (server.Sockets, error) {
	return server.Adopt(activation.Files(true))
}

// A supervisor tells systemd that the daemon is ready, that it lives, and that it stops (sd_notify(3)). Of the first two
// it convinces itself by a question to the daemon's own socket: what does not answer is not ready, and does not live.
type supervisor struct {
	notify  func(state string) error
	answers func(context.Context) error // says why the daemon does not answer; it waits until the context ends at most
	every   time.Duration               // how often systemd wants to hear of us, WATCHDOG_USEC; 0: never
	log     *slog.Logger
}

// supervise tells systemd of the daemon that listens at an address until ctx ends, if systemd wants to hear of it.
func supervise(ctx context.Context, at netip.AddrPort, log *slog.Logger) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return
	}
	every, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("systemd's watchdog is not served", "error", err)
	}
	s := supervisor{
		notify: func(state string) error {
			_, err := systemd.SdNotify(false, state)
			return err
		},
		answers: func(ctx context.Context) error { return answersAt(ctx, reachable(at)) },
		every:   every,
		log:     log,
	}
	s.run(ctx)
}

// readyWithin is how long one attempt at readiness goes on. systemd gives up by itself (TimeoutStartSec=).
const readyWithin = 10 * time.Second

// run tells of the daemon until ctx ends. Half of systemd's interval is left to each question, as sd_watchdog_enabled(3)
// advises: a question is repeated within it, so that a crowd of others does not look like death.
func (s *supervisor) run(ctx context.Context) {
	within, state := readyWithin, systemd.SdNotifyReady
	for ctx.Err() == nil {
		began := time.Now()
		if s.proved(ctx, within) {
			s.tell(state)
			if s.every == 0 {
				break
			}
			within, state = s.every/2, systemd.SdNotifyWatchdog
		}
		select {
		case <-ctx.Done():
		case <-time.After(within - time.Since(began)):
		}
	}
	<-ctx.Done()
	s.tell(systemd.SdNotifyStopping)
}

// proved says whether the daemon has answered in time, and logs why not.
func (s *supervisor) proved(ctx context.Context, within time.Duration) bool {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := s.answers(limited)
	if err != nil && ctx.Err() == nil {
		s.log.Error("no answer to a question of our own: systemd is not told that all is well", "error", err)
	}
	return err == nil
}

func (s *supervisor) tell(state string) {
	if err := s.notify(state); err != nil {
		s.log.Warn("systemd cannot be told", "state", state, "error", err)
	}
}

// askAgain is how long one question to ourselves waits for its answer: on loopback more is a loss.
const askAgain = time.Second

// answersAt asks the DNS server at an address, over UDP, for its status (RFC 1035 §4.1.1, opcode 2) until it answers or
// ctx ends. The answer is NOTIMP or REFUSED, for which neither the cache nor an upstream is needed, nor a place among the
// queries that wait for one: what it proves is that the reader of the socket goes round. A reader that waits for a lock
// of the cache does not.
func answersAt(ctx context.Context, at netip.AddrPort) error {
	socket, err := new(net.Dialer).DialContext(ctx, "udp", at.String()) // one for all tries: they meet the same reader
	if err != nil {
		return err
	}
	defer socket.Close()
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	for err = os.ErrDeadlineExceeded; errors.Is(err, os.ErrDeadlineExceeded); {
		err = askStatus(&dns.Conn{Conn: socket})
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	return fmt.Errorf("%s over UDP: %w", at, err)
}

// askStatus asks once, and waits for askAgain at most.
func askStatus(conn *dns.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(askAgain)); err != nil {
		return err
	}
	question := dns.Msg{MsgHdr: dns.MsgHdr{Id: dns.Id(), Opcode: dns.OpcodeStatus}}
	if err := conn.WriteMsg(&question); err != nil {
		return err
	}
	for {
		reply, err := conn.ReadMsg()
		if err != nil || reply.Response && reply.Id == question.Id {
			return err
		}
	}
}
