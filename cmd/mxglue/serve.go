package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/resolver/server"
)

// serveCommand is "mxglue serve": the nameserver.
func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer DNS for a mail server on this host",
		Long: "Answer DNS over UDP and TCP on server.listen, ask resolver.upstreams or the resolvers of /etc/resolv.conf,\n" +
			"and show on status.listen what came of it. SIGHUP reads the configuration anew, as \"mxglue reload\" does.\n" +
			"SIGINT or SIGTERM lets queries under way finish and stops; a second one stops at once.",
		Args: arguments(between(0, 0)),
		RunE: func(cmd *cobra.Command, _ []string) error {
			load := func() (Config, error) { return loadConfig(cmd.Flags()) }
			return serve(cmd.Context(), load, cmd.OutOrStdout())
		},
	}
	serveFlags(cmd)
	return cmd
}

// serve wires the daemon and runs it until ctx ends. load reads the configuration, now and whenever it is to be read anew.
func serve(ctx context.Context, load func() (Config, error), out io.Writer) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // from the start: one that comes early ends nothing
	defer signal.Stop(hangups)
	config, err := load()
	if err != nil {
		return err
	}
	r := &running{load: load}
	if err := r.wire(config, os.Stderr); err != nil { // standard output belongs to what the command was asked for
		return err
	}
	slog.SetDefault(r.log)
	defer r.questions.Close()
	defer r.end()
	config = r.effect.Load().config
	if err := r.server.Listen(); err != nil {
		return err
	}
	web, err := listenStatus(config.Status.Listen)
	if err != nil {
		return err
	}
	announce(out, config, r.server.Options.Listen)

	r.parts.Go(func() { r.server.Serve(ctx) }) // first: what follows may have a long history to read
	r.parts.Go(func() { r.questions.Watch(ctx) })
	r.parts.Go(func() { keepMemory(ctx, r.answers.Octets) })
	if hot := newHotlist(config.Cache.Hotlist, r.log); hot != nil {
		r.parts.Go(func() { hot.run(ctx, r.answers, r.questions.Warm, r.log) })
	}
	r.begin(ctx)
	r.parts.Go(func() { r.obey(ctx, hangups) })
	r.parts.Go(func() { supervise(ctx, r.server.Options.Listen[0], r.log) })
	if web != nil {
		r.parts.Go(func() {
			if err := status.Serve(ctx, web, r); err != nil {
				r.log.Error("the status endpoint stopped; DNS goes on", "error", err)
			}
		})
	}
	r.parts.Wait()
	r.log.Info("stopped")
	return nil
}

// wire makes the parts that answer, and opens the query log. What they log goes to logs.
func (r *running) wire(config Config, logs io.Writer) (err error) {
	r.level.Set(config.Log.Level)
	r.log = newLogger(logs, &r.level)
	sockets, err := adoptSockets()
	if err != nil {
		return err
	}
	if err := config.findUpstreams(sockets.Join(config.Server.Listen)); err != nil {
		return err
	}
	if r.wiring, err = newWiring(config, nil); err != nil {
		return err
	}
	queries, err := newQueryLog(config, r.log)
	if err != nil { // mail needs the nameserver, and not this
		r.log.Error("going on without the query log", "error", err)
	}
	r.room = config.Cache.Entries
	r.answers, r.questions = r.wiring.build(r.log)
	r.server = &server.Server{Options: server.Options{Listen: config.Server.Listen, Sockets: sockets, Log: r.log}, Near: r.answers.Near}
	first := &effect{config: config, queries: queries}
	r.equip(first)
	r.effect.Store(first)
	return nil
}

// begin adds to the first effect what a nameserver can do without: the monitor and the status side.
func (r *running) begin(ctx context.Context) {
	first := *r.effect.Load()
	first.watch = openWatch(first.config, r.answers, r.questions, &r.gates, r.log)
	first.probes = newProbes(first.config, r.questions, &r.gates, r.blocked)
	r.page = status.Daemon{Snapshot: r.snapshots(), Reload: func() (status.Reloaded, error) { return r.reload(ctx) }}
	controls(&r.page, r.answers)
	r.page.Explain = explains(r.questions)
	r.page.Series = status.NewSeries(r.page.Snapshot)
	r.show(&first)
	r.parts.Go(func() { r.page.Series.Run(ctx) })
	r.watch(ctx, first.watch)
}

// end closes what was open until the last query.
func (r *running) end() {
	if queries := r.effect.Load().queries; queries != nil {
		queries.Close()
	}
}

// snapshots returns the function that gathers the counters of all parts.
func (r *running) snapshots() func() status.Snapshot {
	start, version := time.Now(), version() // not every second anew: it parses what the build left, 27 KiB
	return func() status.Snapshot {
		now, resolver := r.effect.Load(), r.questions.Stats()
		return status.Snapshot{
			Version: version, DNSSEC: now.config.Resolver.DNSSEC, UptimeSeconds: time.Since(start).Seconds(),
			Server: r.server.Stats(), Cache: r.answers.Stats(), Resolver: resolver,
			Upstream: status.Sum(resolver.Upstreams), Upstreams: resolver.Upstreams, Saved: r.questions.Saved(), Monitor: now.watch.shown(),
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
