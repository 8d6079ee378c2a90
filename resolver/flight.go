package resolver

import (
	"context"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
)

// flight is a question that is upstream now. Whoever asks it meanwhile waits for the same answer.
type flight struct {
	by      cache.By
	do      bool // the one who asked first set DO
	started time.Time
	done    chan struct{} // closed when entry is set
	entry   *cache.Entry  // nil if the response could not be used at all
}

// find returns the entry that answers q, from upstream or from a question that is already on its way there, and says
// which. The entry is nil if ctx ends first, if too many questions are in flight, or if q does not unpack.
func (r *Resolver) find(ctx context.Context, q *wire.Query, by cache.By) (e *cache.Entry, source string) {
	f, e := r.board(q, by)
	if e != nil { // it landed between the miss and here
		if source = sourceOf(e); source == "" {
			source = "cache"
		}
		return e, source
	}
	if f == nil {
		return nil, ""
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, ""
	}
	if by != cache.ByBundle && f.by == cache.ByBundle {
		return f.entry, "bundle"
	}
	return f.entry, "upstream"
}

// board joins the flight of q's question, or starts it. Both results are nil if that cannot be.
func (r *Resolver) board(q *wire.Query, by cache.By) (*flight, *cache.Entry) {
	var buf [wire.MaxKey]byte
	key := wire.AppendKey(buf[:0], q.Question, q.CD())
	now := time.Now()

	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.flights[string(key)]; ok {
		r.joined(f, by, now)
		return f, nil
	}
	if e := r.cache.Peek(q, now); e != nil {
		return nil, e
	}
	question, ok := unpack(key)
	if !ok || len(r.flights) >= r.MaxInFlight {
		return nil, nil
	}
	f := &flight{by: by, do: q.DO, started: now, done: make(chan struct{})}
	r.flights[string(key)] = f
	go r.fly(f, string(key), question, cache.Origin{By: by, Client: q.Client, CD: q.CD()})
	return f, nil
}

// joined counts, and credits a bundle with the time that its question has been out before the client asked.
func (r *Resolver) joined(f *flight, by cache.By, now time.Time) {
	r.stats.joined.Add(1)
	if by == cache.ByClient && f.by == cache.ByBundle {
		r.stats.bundleJoined.Add(1)
		r.stats.mu.Lock()
		r.stats.saved += now.Sub(f.started)
		r.stats.mu.Unlock()
	}
}

// fly asks the question and lands the flight. It has a budget of its own: those who wait come and go.
func (r *Resolver) fly(f *flight, key string, q dns.Question, from cache.Origin) {
	f.entry = r.settle(q, from)
	if r.Bundle && q.Qtype == dns.TypeMX && f.by != cache.ByBundle && f.entry != nil {
		r.bundle(f.entry, f.do)
	}
	r.mu.Lock()
	delete(r.flights, key)
	r.mu.Unlock()
	close(f.done)
}

// settle gets an answer from upstream into the cache, or a failure.
func (r *Resolver) settle(q dns.Question, from cache.Origin) *cache.Entry {
	ctx, cancel := context.WithTimeout(context.Background(), r.Budget)
	defer cancel()
	resp, u := r.forward(ctx, q, from.CD)
	if resp != nil {
		from.Upstream, from.RTT, from.UDP, from.Size = u.String(), u.RTT(), resp.UDP, resp.Size
		e, err := r.cache.Store(resp.Msg, from, time.Now())
		if err == nil {
			return e
		}
		r.Log.Warn("response not usable", "question", q.Name, "type", dns.TypeToString[q.Qtype], "upstream", u.String(), "error", err)
	}
	return r.cache.Failure(q, from, time.Now())
}

// unpack reads the question back from a cache key, whose class is IN.
func unpack(key []byte) (dns.Question, bool) {
	name, off, err := dns.UnpackDomainName(key, 0)
	if err != nil || off+5 != len(key) {
		return dns.Question{}, false
	}
	return dns.Question{Name: name, Qtype: uint16(key[off])<<8 | uint16(key[off+1]), Qclass: dns.ClassINET}, true
}
