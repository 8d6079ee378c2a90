package sts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/lookup/lookuptest"
)

// A fetch ends after Timeout, and lets go of a host that takes the connection and then says nothing, or that
// does not even do that.
func TestFetchEnds(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 15 * time.Second, 7 * time.Second: 7 * time.Second} {
		for _, accepts := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				f := &Fetcher{Exchange: lookuptest.New(t, goodZone).Exchange, Timeout: timeout, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
					if accepts {
						return ours, nil
					}
					<-ctx.Done()
					return nil, ctx.Err()
				}}
				start := time.Now()
				r := f.Look(t.Context(), "d.example")
				if took := time.Since(start); took != want || !strings.Contains(r.Detail, "timed out") {
					t.Errorf("accepts %t: took %s, want %s: %s", accepts, took, want, r.Detail)
				}
				if accepts {
					io.Copy(io.Discard, theirs) // until the other end is closed
				}
				if held := time.Since(start); held != want {
					t.Errorf("accepts %t: the host was held on to for %s, want %s", accepts, held, want)
				}
				synctest.Wait()
			})
		}
	}
}

// An address that does not answer leaves time for the next; a blocked one and a third of a family are not tried.
func TestDialTriesTheNextAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		zone := lookuptest.New(t, `h.example. AAAA 2001:db8::1
			h.example. AAAA 2001:db8::2
			h.example. AAAA 2001:db8::3
			h.example. A 10.0.0.1
			h.example. A 192.0.2.1`)
		var tried []string
		f := &Fetcher{Exchange: zone.Exchange,
			Blocked: func(addr netip.Addr) string { return map[bool]string{true: "private"}[addr.IsPrivate()] },
			Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
				tried = append(tried, address)
				if len(tried) < 3 {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return nil, errors.New("refused")
			}}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		start := time.Now()
		_, err := f.dial(ctx, "tcp", "h.example:443")
		if want := "[[2001:db8::1]:443 [2001:db8::2]:443 192.0.2.1:443]"; fmt.Sprint(tried) != want || err == nil || err.Error() != "refused" {
			t.Errorf("tried %v, want %s; %v", tried, want, err)
		}
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("waited %s for two addresses of three, want 10s", waited)
		}
	})
}
