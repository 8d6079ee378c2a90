package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
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
		Args: cobra.NoArgs,
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
	answers, questions, err := newResolver(config, config.Server.Listen, log)
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
		Answer:  answers.Answer,
		Resolve: questions.Resolve,
	}
	if err := dns.Listen(); err != nil {
		return err
	}
	web, err := listenStatus(config.Status.Listen)
	if err != nil {
		return err
	}
	announce(out, config, dns.Options.Listen, questions)

	var parts sync.WaitGroup
	parts.Go(func() { tryUpstreams(ctx, questions, log) })
	if web != nil {
		handler := status.Handler(snapshots(time.Now(), dns, answers, questions))
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
func snapshots(start time.Time, dns *server.Server, answers *cache.Cache, questions *resolver.Resolver) func() status.Snapshot {
	return func() status.Snapshot {
		r := questions.Stats()
		return status.Snapshot{
			Version: version(), UptimeSeconds: time.Since(start).Seconds(),
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
	if err != nil {
		return nil, fmt.Errorf("status.listen %s: %w", addr, err)
	}
	return l, nil
}

// announce says on one screen what runs, and a line to try it.
func announce(out io.Writer, config Config, listen []netip.AddrPort, questions *resolver.Resolver) {
	var asks []string
	for _, u := range questions.Stats().Upstreams {
		asks = append(asks, u.Address)
	}
	from := config.File
	if from == "" {
		from = "built-in defaults"
	}
	upstreams := strings.Join(asks, ", ")
	if len(config.Resolver.Upstreams) == 0 {
		upstreams += " (from " + resolvConfFile + ")"
	}
	bundle := "on: the addresses of all MX hosts are asked for at once"
	if !config.Resolver.Bundle {
		bundle = "off"
	}
	fmt.Fprintf(out, "mxglue %s, configuration: %s\n", version(), from)
	fmt.Fprintf(out, "  answers DNS on  %s (UDP and TCP)\n", join(listen))
	fmt.Fprintf(out, "  for clients in  %s\n", join(config.Server.Allow))
	fmt.Fprintf(out, "  asks            %s\n", upstreams)
	fmt.Fprintf(out, "  glue            %s\n", config.Cache.Glue)
	fmt.Fprintf(out, "  bundle          %s\n", bundle)
	if config.Status.Listen.IsValid() {
		fmt.Fprintf(out, "  status          http://%s/\n", config.Status.Listen)
	}
	at := reachable(listen[0])
	fmt.Fprintf(out, "try:  dig @%s -p %d MX gmail.com\n", at.Addr(), at.Port())
}

func join[T fmt.Stringer](list []T) string {
	var texts []string
	for _, x := range list {
		texts = append(texts, x.String())
	}
	return strings.Join(texts, ", ")
}

// tryUpstreams asks each upstream something every resolver knows, and warns about those that do not answer: at 3 a.m. the
// log should say so before the mail queue does.
func tryUpstreams(ctx context.Context, questions *resolver.Resolver, log *slog.Logger) {
	for address, err := range questions.Try(ctx) {
		if ctx.Err() != nil {
			return
		}
		log.Warn("upstream does not answer; is the address right, does it run, does a firewall stand between? (resolver.upstreams)",
			"upstream", address, "error", err)
	}
}
