package resolver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// Options are the resolver's settings, all of which but Log can be changed later: Reconfigure. The zero value of a field
// means the default named beside it.
type Options struct {
	Budget      time.Duration // from a question to its SERVFAIL (4 s): a stub resolver gives up at 5 s
	FirstTry    time.Duration // how long the first upstream is waited for before the next is asked too (1.5 s)
	StaleAfter  time.Duration // how long upstream is waited for before an old answer is given instead (1.8 s)
	MaxInFlight int           // the most questions upstream at a time (1024)
	Bundle      bool          // ask for the addresses of MX hosts ahead of the client
	TrustAD     bool          // believe the AD bit of upstreams that are neither loopback nor encrypted, too
	Records     Records       // configured answers
	Routes      []Route       // zones with upstreams of their own
	Policy      Policy        // of the other upstreams
	NoPrivate   bool          // of the other upstreams: see Route
	Log         *slog.Logger  // (slog.Default)
}

// Resolver is safe for use by many goroutines.
type Resolver struct {
	// Ask does one exchange with one upstream; nil means the upstream's own Exchange.
	Ask func(ctx context.Context, u *upstream.Upstream, q dns.Question, cd bool) (*upstream.Response, error)

	settings  atomic.Pointer[settings]
	log       *slog.Logger
	cache     *cache.Cache
	bucket    *rate.Limiter // of the bundles' questions
	strangers *rate.Limiter // of the log

	ctx        context.Context // ends with Close
	cancel     context.CancelFunc
	background background

	mu      sync.Mutex
	flights map[string]*flight // by cache key; those that began by the settings of now
	landed  []*flight          // that nobody knows of any more, to be used again

	stats counters
}

// The bundles' token bucket, questions per second and at once: a prefetch must not become a weapon (NXNSAttack, 2020).
const (
	bundleRate  = 50
	bundleBurst = 100
)

// New returns a resolver that asks the given upstreams, of which there must be one, and keeps their responses in c.
// It sets c.Wake.
func New(o Options, c *cache.Cache, upstreams []*upstream.Upstream) *Resolver {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	r := &Resolver{
		log: o.Log, cache: c,
		bucket:  rate.NewLimiter(bundleRate, bundleBurst),
		flights: make(map[string]*flight), strangers: strangersLog(),
	}
	r.settings.Store(newSettings(o, upstreams, nil))
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.stats.skipped = make(map[string]uint64)
	c.Wake = r.wake
	return r
}

// Close ends what goes on in the background, and closes the upstreams. Questions in flight end within their budget.
func (r *Resolver) Close() {
	r.cancel()
	r.background.close()
	for _, m := range r.settings.Load().members() {
		m.Close()
	}
}

// Resolve is ResolveFrom for those who need not know where the reply came from.
func (r *Resolver) Resolve(ctx context.Context, dst []byte, q *wire.Query) []byte {
	dst, _ = r.ResolveFrom(ctx, dst, q)
	return dst
}

// ResolveFrom appends the reply to a query that the cache could not answer, and waits for the upstream if need be. It returns
// nil if ctx ends first. source says where the reply came from: "upstream", "refused", or what SourceOf says.
func (r *Resolver) ResolveFrom(ctx context.Context, dst []byte, q *wire.Query) (reply []byte, source string) {
	qtype, began := q.Type(), time.Now()
	now := began
	defer func() { r.stats.replies.count(qtype, reply, len(dst), now.Sub(began)) }()
	if !q.RD() { // we look things up for those who ask us to (RFC 1034 §4.3.1); they may see what is cached
		return wire.AppendError(dst, q, wire.RcodeRefused), "refused"
	}
	e, source := r.find(ctx, q, cache.ByClient, began)
	now = time.Now()
	if e == nil && ctx.Err() != nil {
		return nil, ""
	}
	if e == nil || e.Rank() == cache.RankFailure {
		source = "failure"
	}
	if e == nil {
		return wire.AppendError(dst, q, wire.RcodeServFail), source
	}
	if source == "cache" {
		source = r.SourceOf(e, now)
	}
	return r.cache.Append(dst, e, q, now), source
}

// SourceOf says as what an entry that was remembered answers: "glue", "bundle", "stale" if it has ended, "failure", or else
// "cache".
func (r *Resolver) SourceOf(e *cache.Entry, now time.Time) string {
	switch source := sourceOf(e); {
	case e.Rank() == cache.RankFailure:
		return "failure"
	case !now.Before(r.cache.Expires(e)):
		return "stale"
	case source != "":
		return source
	}
	return "cache"
}

// Exchange answers a query of the MX tester by whatever means, and says where the answer came from: "glue", "bundle",
// "cache" or "upstream". The message's ID is kept, flags RD, AD, CD and DO count as they would for a client. Errors: the
// context's, or a query that does not pack.
func (r *Resolver) Exchange(ctx context.Context, m *dns.Msg) (reply *dns.Msg, source string, err error) {
	packed, err := m.Pack()
	if err != nil {
		return nil, "", err
	}
	var q wire.Query
	if q.Parse(packed, true) != wire.Accept {
		return nil, "", errors.New("not a query that a client could ask")
	}
	now := time.Now()
	e := r.cache.Peek(&q, now) // uncounted: what the mail server asks is what the figures are about
	source = "cache"
	if e == nil {
		e, source = r.find(ctx, &q, cache.ByProber, now)
	} else if s := sourceOf(e); s != "" {
		source = s
	}
	var out []byte
	switch {
	case e != nil:
		out = r.cache.Append(nil, e, &q, time.Now())
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	default:
		out = wire.AppendError(nil, &q, wire.RcodeServFail)
	}
	reply = new(dns.Msg)
	return reply, source, reply.Unpack(out)
}

// sourceOf names the two ways by which an answer can be here before anybody asked for it; "" for any other.
func sourceOf(e *cache.Entry) string {
	switch {
	case e.Rank() == cache.RankGlue:
		return "glue"
	case e.By() == cache.ByBundle:
		return "bundle"
	}
	return ""
}
