package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver/server"
)

var discard = slog.New(slog.DiscardHandler)

// told is what systemd heard, and when.
type told struct {
	state string
	after time.Duration
}

// supervised runs a supervisor for a while of the test's own time and returns what it told. answers says whether the
// daemon answers at a time after the start.
func supervised(t *testing.T, every, lasting time.Duration, answers func(after time.Duration) bool) (heard []told) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := supervisor{
			notify: func(state string) error {
				heard = append(heard, told{state, time.Since(began)})
				return nil
			},
			answers: func(ctx context.Context) error {
				if answers(time.Since(began)) {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			},
			every: every,
			log:   discard,
		}
		ctx, stop := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() { s.run(ctx) })
		time.Sleep(lasting)
		stop()
		wait.Wait()
	})
	return heard
}

func TestSupervisor(t *testing.T) {
	const s = time.Second
	always := func(time.Duration) bool { return true }
	for _, c := range []struct {
		name           string
		every, lasting time.Duration
		answers        func(time.Duration) bool
		want           []told
	}{
		{"no watchdog", 0, 99 * s, always,
			[]told{{"READY=1", 0}, {"STOPPING=1", 99 * s}}},
		{"watchdog", 20 * s, 35 * s, always,
			[]told{{"READY=1", 0}, {"WATCHDOG=1", 10 * s}, {"WATCHDOG=1", 20 * s}, {"WATCHDOG=1", 30 * s}, {"STOPPING=1", 35 * s}}},
		{"late to answer", 20 * s, 15 * s, func(after time.Duration) bool { return after >= 10*s },
			[]told{{"READY=1", 10 * s}, {"STOPPING=1", 15 * s}}},
		{"never answers", 20 * s, 99 * s, func(time.Duration) bool { return false },
			[]told{{"STOPPING=1", 99 * s}}},
		{"goes deaf", 20 * s, 45 * s, func(after time.Duration) bool { return after <= 10*s },
			[]told{{"READY=1", 0}, {"WATCHDOG=1", 10 * s}, {"STOPPING=1", 45 * s}}},
		{"is deaf for a while", 20 * s, 45 * s, func(after time.Duration) bool { return after <= 10*s || after >= 30*s },
			[]told{{"READY=1", 0}, {"WATCHDOG=1", 10 * s}, {"WATCHDOG=1", 30 * s}, {"WATCHDOG=1", 40 * s}, {"STOPPING=1", 45 * s}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if heard := supervised(t, c.every, c.lasting, c.answers); !slices.Equal(heard, c.want) {
				t.Errorf("systemd heard\n%v, want\n%v", heard, c.want)
			}
		})
	}
}

// systemd hears of a server that answers, on the socket that it named in the environment.
func TestSupervise(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	if err := systemd.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	hears := func(want string) {
		t.Helper()
		datagram := make([]byte, 256)
		n, err := systemd.Read(datagram)
		if err != nil || string(datagram[:n]) != want {
			t.Fatalf("systemd heard %q, want %s: %v", datagram[:n], want, err)
		}
	}
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "100000")

	dns := server.Server{
		Options: server.Options{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Log: discard},
		Answer:  func([]byte, *wire.Query, time.Time) []byte { t.Error("the cache was asked"); return nil },
		Resolve: func(context.Context, []byte, *wire.Query) []byte { t.Error("the upstream was asked"); return nil },
	}
	if err := dns.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	defer parts.Wait()
	defer stop()
	parts.Go(func() { supervise(ctx, dns.Options.Listen[0], discard) })
	parts.Go(func() { dns.Serve(ctx) })
	hears("READY=1")
	hears("WATCHDOG=1")
	hears("WATCHDOG=1")
	stop()
	hears("STOPPING=1")
}

// Without systemd there is nothing to tell, and nobody to tell it.
func TestSuperviseNobody(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	supervise(t.Context(), netip.MustParseAddrPort("127.0.0.1:1"), discard) // returns, though the context does not end
}

// Only an answer counts: not a socket that is deaf, not one that sends our question back, not one that is not there.
func TestAnswersAt(t *testing.T) {
	listen := func() (*net.UDPConn, netip.AddrPort) {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()

	_, deaf := listen()
	if err := answersAt(ctx, deaf); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), deaf.String()) {
		t.Errorf("a deaf server answers: %v", err)
	}

	echo, mirror := listen()
	go func() {
		for buf := make([]byte, 512); ; {
			n, from, err := echo.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = echo.WriteToUDPAddrPort(buf[:n], from) // an error means that it has gone
		}
	}()
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := answersAt(ctx, mirror); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a mirror answers: %v", err)
	}

	conn, gone := listen()
	conn.Close()
	if err := answersAt(t.Context(), gone); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a closed port: %v; want that it is refused, at once", err)
	}
}

// A question that is lost is asked again, of the same reader: from the same port.
func TestAnswersAtSecondTry(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	failed := make(chan error, 1)
	go func() {
		failed <- answersAt(t.Context(), conn.LocalAddr().(*net.UDPAddr).AddrPort())
	}()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var from [2]netip.AddrPort
	buf := make([]byte, 512)
	n := 0
	for i := range from {
		if n, from[i], err = conn.ReadFromUDPAddrPort(buf); err != nil {
			t.Fatal(err)
		}
	}
	buf[2] |= 0x80 // QR
	if _, err := conn.WriteToUDPAddrPort(buf[:n], from[1]); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil || from[0] != from[1] {
		t.Errorf("asked from %v: %v", from, err)
	}
}
