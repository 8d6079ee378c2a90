package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/server"
)

// serveCommand is "mxglue serve": the nameserver.
func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer DNS for a mail server on this host",
		Long: "Answer DNS over UDP and TCP on server.listen, ask resolver.upstreams or the resolvers of /etc/resolv.conf,\n" +
			"and show on status.listen what came of it. SIGINT or SIGTERM lets queries under way finish and stops; a\n" +
			"second one stops at once.",
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			return serve(cmd.Context(), config, cmd.OutOrStdout())
		},
	}
	serveFlags(cmd)
	return cmd
}

// serve wires the daemon and runs it until ctx ends.
func serve(ctx context.Context, config Config, out io.Writer) error {
	log := newLogger(config)
	slog.SetDefault(log)
	if err := config.findUpstreams(config.Server.Listen); err != nil {
		return err
	}
	answers, questions, err := newResolver(config, log)
	if err != nil {
		return err
	}
	dns := &server.Server{
		Options: server.Options{
			Listen:         config.Server.Listen,
			Allow:          config.Server.Allow,
			MaxWaiting:     config.Server.MaxWaiting,
			TCPConnections: config.Server.TCPConnections,
			TCPPerClient:   config.Server.TCPPerClient,
			Log:            log,
		},
		Near:    answers.Near,
		Answer:  answers.Answer,
		Resolve: questions.Resolve,
	}
	defer questions.Close()
	if err := dns.Listen(); err != nil {
		return err
	}
	web, err := listenStatus(config.Status.Listen)
	if err != nil {
		return err
	}
	announce(out, config, dns.Options.Listen)

	var parts sync.WaitGroup
	parts.Go(func() { questions.Watch(ctx) })
	parts.Go(func() { keepMemory(ctx, func() int { return answers.Stats().Octets }) })
	if hot := newHotlist(config.Cache.Hotlist, log); hot != nil {
		parts.Go(func() { hot.run(ctx, answers, questions.Warm, log) })
	}
	if web != nil {
		d := status.Daemon{Snapshot: snapshots(config, time.Now(), dns, answers, questions), Token: config.Status.Token}
		controls(&d, answers)
		handler := d.Handler()
		parts.Go(func() {
			if err := status.Serve(ctx, web, handler); err != nil {
				log.Error("the status endpoint stopped; DNS goes on", "error", err)
			}
		})
	}
	dns.Serve(ctx)
	parts.Wait()
	log.Info("stopped")
	return nil
}

// snapshots returns the function that gathers the counters of all parts.
func snapshots(config Config, start time.Time, dns *server.Server, answers *cache.Cache, questions *resolver.Resolver) func() status.Snapshot {
	return func() status.Snapshot {
		r := questions.Stats()
		return status.Snapshot{
			Version: version(), DNSSEC: config.Resolver.DNSSEC, UptimeSeconds: time.Since(start).Seconds(),
			Server: dns.Stats(), Cache: answers.Stats(), Resolver: r,
			Upstream: status.Sum(r.Upstreams), Upstreams: r.Upstreams, Saved: questions.Saved(),
		}
	}
}

// listenStatus opens the status endpoint's socket; none if it is switched off.
func listenStatus(addr netip.AddrPort) (net.Listener, error) {
	if !addr.IsValid() {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr.String())
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("status.listen %s: something else listens there, perhaps another mxglue; stop it, set status.listen, or switch it off with --status=\"\": %w", addr, err)
	}
	switch {
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("status.listen %s: port %d needs a privilege; set status.listen to a port above 1023: %w", addr, addr.Port(), err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("status.listen %s: this host has no address %s; set status.listen to one it has: %w", addr, addr.Addr(), err)
	case err != nil:
		return nil, fmt.Errorf("status.listen %s: %w", addr, err)
	}
	return l, nil
}
