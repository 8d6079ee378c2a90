package cache

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// known is what a model remembers of one name: the latest answer and the latest failure.
type known struct {
	address string // "" for none
	ttl     uint32
	ad      bool
	at      time.Duration
	renewed bool
	failed  time.Duration // when upstream failed
	failing bool          // it has
}

// told is what a client is to be told of a name, "" for a miss: the address, its TTL and AD; or that nobody knows.
func (k known) told(at time.Duration, showsAD bool) string {
	end := k.at + time.Duration(k.ttl)*time.Second
	failing := k.failing && at < k.failed+failureTTL && (k.address == "" || k.failed >= k.at)
	switch old := k.address != "" && !(k.ad && showsAD) && !k.private(); {
	case k.address != "" && at < end:
		return fmt.Sprintf("%s %d %v", k.address, k.ttl-uint32((at-k.at)/time.Second), k.ad && showsAD)
	case k.address != "" && k.renewed && !(k.ad && showsAD) && at < end+renewGrace:
		return k.address + " renewing"
	case failing && old && at < end+staleFor:
		return k.address + " 30 false"
	case failing:
		return "SERVFAIL"
	}
	return ""
}

// private addresses are what lists say: never given old.
func (k known) private() bool { return strings.HasPrefix(k.address, "127.") }

// TestModel stores answers and failures, renews, flushes and asks at random while time passes by fractions of a second and by
// days. Whatever a client is told is what was stored last, with the TTL that it has left and AD for whom it is for.
func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		c, model, at := New(Options{}, epoch), map[string]known{}, time.Duration(0)
		for step := range 4000 {
			name := fmt.Sprintf("n%d.example.", random.IntN(6))
			k, now := model[name], epoch.Add(at)
			from := Origin{Flushes: c.Flushes(), Client: mta}
			switch random.IntN(12) {
			case 0:
				at += []time.Duration{time.Millisecond, time.Second, time.Second - 1, 4 * time.Second, time.Minute, time.Hour, staleFor - time.Second, 8 * 24 * time.Hour}[random.IntN(8)]
			case 1:
				if c.Flush(name); random.IntN(2) == 0 { // what was asked before comes too late to be kept
					late := response(t, fmt.Sprintf("%s A\n %s 60 IN A 192.0.2.255", name, name))
					if _, err := c.Store(late, from, now); err != nil {
						t.Fatal(err)
					}
				}
				k = known{}
			case 2:
				c.Failure(dns.Question{Name: name, Qtype: dns.TypeA, Qclass: dns.ClassINET}, from, nil, now)
				k.failed, k.failing = at, true
			case 3:
				if e := c.Peek(query(t, name, dns.TypeA), now); e != nil && e.Rank() == RankAnswer && !k.private() { // as the resolver refreshes
					c.Renew(e)
					k.renewed = true
				}
			case 4, 5:
				k.address, k.at, k.renewed = fmt.Sprintf("%d.0.2.%d", []int{192, 127}[random.IntN(2)], step%250), at, false
				k.ttl, k.ad = []uint32{1, 2, 60, 3600, 700_000}[random.IntN(5)], random.IntN(2) == 0
				words := ""
				if k.ad {
					words = " ad"
				}
				text := fmt.Sprintf("%s A%s\n %s %d IN A %s", name, words, name, k.ttl, k.address)
				k.ttl = min(k.ttl, maxTTL)
				if msg := plainOf(t, text); random.IntN(2) == 0 || c.StorePlain(msg, from, now) == nil {
					if _, err := c.Store(response(t, text), from, now); err != nil {
						t.Fatal(err)
					}
				}
			default:
				words := [][]string{{}, {"do"}, {"ad"}, {"edns"}}[random.IntN(4)]
				shows := len(words) > 0 && words[0] != "edns"
				got := ""
				if m := answer(t, c, query(t, name, dns.TypeA, words...), now); m != nil {
					got = dns.RcodeToString[m.Rcode]
					if len(m.Answer) > 0 {
						a := m.Answer[0].(*dns.A)
						got = fmt.Sprintf("%s %d %v", a.A, a.Hdr.Ttl, m.AuthenticatedData)
					}
				}
				want := k.told(at, shows)
				if got != want && !(strings.HasSuffix(want, "renewing") && strings.HasPrefix(got, strings.Fields(want)[0])) {
					t.Fatalf("seed %d, step %d, %v: %s %v is told %q, want %q (%+v)", seed, step, at, name, words, got, want, k)
				}
			}
			model[name] = k
		}
	}
}
