package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cmd/mxglue/querylog"
	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/server"
	"github.com/mxglue/mxglue/smtpprobe"
)

// A running is a daemon at work: its parts, and the configuration that they go by. It is what a reload changes.
type running struct {
	load func() (Config, error) // reads the configuration anew

	log       *slog.Logger
	level     slog.LevelVar
	server    *server.Server
	answers   *cache.Cache
	questions *resolver.Resolver
	gates     smtpprobe.Gates // of all connections to mail servers; who is met under one configuration is spared under the next
	page      status.Daemon   // but for what is in effect
	parts     sync.WaitGroup

	effect atomic.Pointer[effect]

	one    sync.Mutex // one reload at a time
	wiring *wiring    // guarded by one
	room   int        // entries that the cache was made for
}

// An effect is a configuration that holds, and what was made of it. It is replaced whole.
type effect struct {
	config  Config
	watch   *watch
	probes  status.Probes
	queries *querylog.Log // nil: none
	web     http.Handler
}

// obey reloads on every signal until ctx ends.
func (r *running) obey(ctx context.Context, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			r.reload(ctx) // and the log says what came of it
		}
	}
}

// reload reads the configuration anew and lets every part go by it. Each part takes it over at one instant, the server as the
// last, so that whoever is let in anew is answered anew. An error says why everything stays as it was. It is logged here.
func (r *running) reload(ctx context.Context) (done status.Reloaded, err error) {
	r.one.Lock()
	defer r.one.Unlock()
	defer func() { r.tell(done, err) }()
	old := r.effect.Load()
	if old.queries != nil {
		if err := old.queries.Reopen(); err != nil { // who moves log files away sends SIGHUP, too
			r.log.Error("the query log goes on in its old file", "error", err)
		}
	}
	config, err := r.load()
	if err != nil {
		return done, err
	}
	done = status.Reloaded{File: config.source(), Restart: config.keep(old.config, r.onlyAtStart(old, config))}
	if err := config.findUpstreams(r.server.Options.Listen); err != nil {
		return done, err
	}
	if err := config.notOurselves(r.server.Options.Listen); err != nil {
		return done, err
	}
	wiring, err := newWiring(config, r.wiring)
	if err != nil {
		return done, err
	}
	next, err := r.prepare(old, config)
	if err != nil {
		return done, err
	}
	done.Changed = changed(config, old.config, wiring, r.wiring)
	if len(done.Changed) == 0 && next.watch == old.watch && next.queries == old.queries {
		return done, nil // what is in flight goes on to be joined
	}

	r.level.Set(config.Log.Level) // from here on nothing fails
	wiring.reuse(r.answers, r.questions)
	done.Forgotten = r.answers.Rerouted(wiring.rerouted(r.wiring))
	r.wiring = wiring
	r.equip(next)
	r.server.Reconfigure()
	r.hand(ctx, old, next)
	return done, nil
}

// tell logs what became of a reload.
func (r *running) tell(done status.Reloaded, err error) {
	if err != nil {
		r.log.Error("not reloaded; everything stays as it was", "error", strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	r.log.Info("reloaded", "configuration", done.File, "changed", strings.Join(done.Changed, ", "), "forgotten", done.Forgotten)
	if len(done.Restart) > 0 {
		r.log.Warn("this takes effect after a restart", "keys", strings.Join(done.Restart, ", "))
	}
}

// prepare opens what a configuration needs that is not open yet. Of the rest it takes over what is the same.
func (r *running) prepare(old *effect, config Config) (next *effect, err error) {
	next = &effect{config: config, watch: old.watch, probes: old.probes, queries: old.queries}
	if config.probing(old.config) {
		next.probes = newProbes(config, r.questions, &r.gates, r.blocked)
	}
	switch {
	case !config.Monitor.on() && old.config.Monitor.on():
		next.watch = &watch{}
	case !config.Monitor.on():
	case old.watch.monitor == nil:
		next.watch, err = readyWatch(config, r.answers, r.questions, &r.gates, r.log)
		if err != nil && old.watch.off == "" {
			return nil, err
		} else if err != nil { // it does without since the start
			r.log.Error("still going on without the monitor", "error", err)
			next.watch = &watch{off: err.Error()}
		}
	}
	if other := config.QueryLog != old.config.QueryLog; other || old.queries == nil {
		next.queries, err = newQueryLog(config, r.log)
		if err != nil && other {
			next.watch.discard(old.watch)
			return nil, err
		} else if err != nil { // it does without since the start
			r.log.Error("still going on without the query log", "error", err)
		}
	}
	return next, nil
}

// equip sets the server's fields as they are to be.
func (r *running) equip(e *effect) {
	c, s := e.config.Server, r.server
	s.Allow, s.MaxWaiting, s.TCPConnections, s.TCPPerClient = c.Allow, c.MaxWaiting, c.TCPConnections, c.TCPPerClient
	s.Answer, s.Resolve = r.answers.Answer, r.questions.Resolve
	withQueryLog(s, r.answers, r.questions, e.queries)
}

// hand lets the rest go by next: the status side, the monitor and the query log.
func (r *running) hand(ctx context.Context, old, next *effect) {
	r.show(next)
	switch {
	case next.watch != old.watch:
		old.watch.stop()
		r.watch(ctx, next.watch)
	case next.watch.monitor != nil && (next.config.probing(old.config) || !reflect.DeepEqual(next.config.Monitor, old.config.Monitor)):
		if err := next.watch.monitor.Reconfigure(watchChange(next.config, r.answers, r.questions, &r.gates)); err != nil {
			r.log.Error("the monitor goes on as it did", "error", err) // what the configuration allows, it takes
		}
	}
	if old.queries != next.queries && old.queries != nil {
		r.parts.Go(func() { // when those who still write to it are done
			select {
			case <-time.After(old.config.Resolver.Timeout):
			case <-ctx.Done():
			}
			old.queries.Close()
		})
	}
}

// show makes next what readers see.
func (r *running) show(next *effect) {
	page := r.page
	page.Token, page.Probes, page.Monitor = next.config.Status.Token, next.probes, next.watch.monitor
	if m := next.watch.monitor; m != nil {
		page.Verdict = func(domain string) (string, time.Time, bool) { return lastWord(m, domain) }
	}
	next.web = page.Handler()
	r.effect.Store(next)
}

// ServeHTTP is the status side.
func (r *running) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.effect.Load().web.ServeHTTP(w, request)
}
