package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// A daemonClient talks to the status side of a running daemon.
type daemonClient struct {
	listen netip.AddrPort // its status.listen; the zero AddrPort: off
	token  string         // "" for none
}

func daemonOf(c Config) daemonClient { return daemonClient{c.Status.Listen, c.Status.Token} }

// What is waited for and read of an answer at most. A dump is the largest.
const (
	daemonPatience = 20 * time.Second
	daemonAnswer   = 64 << 20 // octets
	maxMistakes    = 50       // lines
)

// ask sends one request and returns the body of the answer. It goes through no proxy: a proxy is not on this host. Errors
// say what to do.
func (d daemonClient) ask(ctx context.Context, method, path string, query url.Values) ([]byte, error) {
	if !d.listen.IsValid() {
		return nil, errors.New("the status side is off: set status.listen in config.yaml, or say with --status where the daemon has it")
	}
	at := url.URL{Scheme: "http", Host: reachable(d.listen).String(), Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, at.String(), nil)
	if err != nil {
		return nil, err
	}
	if d.token != "" {
		request.Header.Set("Authorization", "Bearer "+d.token)
	}
	client := http.Client{Timeout: daemonPatience, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // the token is for the daemon alone
	response, err := client.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("nothing listens on %s: start \"mxglue serve\", or name the daemon's status.listen with --status", at.Host)
	}
	var failed *url.Error
	switch {
	case errors.As(err, &failed) && failed.Timeout():
		return nil, fmt.Errorf("no answer from %s in time: does the daemon hang (journalctl -u mxglue), or is its status.listen another?", at.Host)
	case err != nil:
		return nil, fmt.Errorf("no answer from the daemon: %w; does --status name its status.listen?", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, daemonAnswer))
	if err != nil {
		return nil, fmt.Errorf("no answer from the daemon: %w", err)
	}
	switch response.StatusCode {
	case http.StatusOK:
		return text, nil
	case http.StatusUnprocessableEntity: // of a reload: what is wrong, line by line
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		for i, line := range lines[:min(len(lines), maxMistakes)] {
			lines[i] = smtpprobe.Escape(fmt.Sprintf("%.600s", line))
		}
		return nil, errors.New("the daemon on " + at.Host + " goes on as before: " + strings.Join(lines[:min(len(lines), maxMistakes)], "\n"))
	case http.StatusBadRequest, http.StatusForbidden: // a sentence that says why
		return nil, fmt.Errorf("the daemon on %s refuses: %s", at.Host, smtpprobe.Escape(fmt.Sprintf("%.300s", strings.TrimSpace(string(text)))))
	}
	return nil, fmt.Errorf("%s says %s: is it mxglue? name the daemon's status.listen with --status", at.String(), response.Status)
}

// notMxglue is the error of an answer that is not what mxglue answers.
func (d daemonClient) notMxglue(err error) error {
	return fmt.Errorf("what answers on %s is not mxglue (%w): name another address with --status", d.listen, err)
}

// reachable is the address to connect to for a listener: a wildcard (0.0.0.0, ::) is reached over loopback.
func reachable(listen netip.AddrPort) netip.AddrPort {
	addr := listen.Addr()
	switch {
	case addr == netip.IPv4Unspecified():
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case addr == netip.IPv6Unspecified():
		addr = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(addr, listen.Port())
}
