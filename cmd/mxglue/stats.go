package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
)

// statsCommand is "mxglue stats": the figures of the daemon that runs with the same configuration.
func statsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show what the running daemon has done",
		Long: "Show what the running daemon has done since its start: what it was asked, what the cache,\n" +
			"the glue and the bundle saved, and how its upstreams do. It is asked at status.listen.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			return printStats(cmd.Context(), cmd.OutOrStdout(), config.Status.Listen, asJSON)
		},
	}
	statsFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the JSON of /stats as it is")
	return cmd
}

func printStats(ctx context.Context, w io.Writer, listen netip.AddrPort, asJSON bool) error {
	if !listen.IsValid() {
		return errors.New("the status side is off: set status.listen in config.yaml, or say with --status where the daemon has it")
	}
	text, err := fetchStats(ctx, listen)
	if err != nil {
		return err
	}
	var snapshot status.Snapshot
	if err := json.Unmarshal(text, &snapshot); err != nil {
		return fmt.Errorf("what answers on %s is not mxglue (%w): name another address with --status", listen, err)
	}
	if asJSON {
		_, err = w.Write(text)
		return err
	}
	return status.WriteText(w, snapshot)
}

// fetchStats gets /stats, within 5 s and 1 MiB. It goes through no proxy: a proxy is not on this host.
func fetchStats(ctx context.Context, listen netip.AddrPort) ([]byte, error) {
	const atMost = 1 << 20
	at := url.URL{Scheme: "http", Host: reachable(listen).String(), Path: "/stats"}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("nothing listens on %s: start \"mxglue serve\", or name the daemon's status.listen with --status", at.Host)
	}
	if err != nil {
		return nil, fmt.Errorf("no figures from the daemon: %w; does --status name its status.listen?", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, atMost))
	if err != nil {
		return nil, fmt.Errorf("no figures from the daemon: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s says %s: is it mxglue? name the daemon's status.listen with --status", at.String(), response.Status)
	}
	return text, nil
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
