package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/cmd/mxglue/querylog"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/server"
)

// newQueryLog opens the query log, which is to be closed; nil is none.
func newQueryLog(c Config, log *slog.Logger) (*querylog.Log, error) {
	if c.QueryLog.Output == "" {
		return nil, nil
	}
	l, err := querylog.Open(querylog.Options{
		Output: c.QueryLog.Output, Format: querylog.Format(c.QueryLog.Format), Sample: c.QueryLog.Sample,
		Version: "mxglue " + version(), Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("querylog.output: %w", err)
	}
	return l, nil
}

// withQueryLog lets what a server says pass by a query log. Without one, nil, hits and misses go the way they went.
func withQueryLog(server *server.Server, answers *cache.Cache, questions *resolver.Resolver, log *querylog.Log) {
	if log == nil {
		return
	}
	add := func(q *wire.Query, asked time.Time, reply []byte, source string) {
		log.Add(querylog.Query{
			Asked: asked, Answered: time.Now(), Client: q.Client, TCP: q.Limit == wire.MaxMessage, // which UDP has no room for
			Question: q.Question, Reply: reply, Source: source,
		})
	}
	server.Answer = func(dst []byte, q *wire.Query, now time.Time) []byte { // as Cache.Answer
		e := answers.Find(q, now)
		if e == nil {
			return nil
		}
		reply := answers.Append(dst, e, q, now)
		if log.Chosen() {
			add(q, now, reply[len(dst):], questions.SourceOf(e, now))
		}
		return reply
	}
	server.Resolve = func(ctx context.Context, dst []byte, q *wire.Query) []byte {
		asked := time.Now()
		reply, source := questions.ResolveFrom(ctx, dst, q)
		if reply != nil && log.Chosen() {
			add(q, asked, reply[len(dst):], source)
		}
		return reply
	}
}
