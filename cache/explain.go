package cache

import (
	"encoding/binary"
	"hash/maphash"
	"strings"
	"time"
	"unicode"

	"github.com/mxglue/mxglue/cache/wire"
)

// All returns what is remembered of q's question at every rank, the highest first, whether it lives and whomever it
// answers, and then what answers queries with CD only. Nothing is counted, and nothing wakes.
func (c *Cache) All(q *wire.Query) (all []*Entry) {
	var buf [wire.MaxKey]byte
	for _, cd := range [...]bool{false, true} {
		key, hash := c.key(buf[:], q.Question, cd)
		s := c.shard(hash)
		s.mu.Lock()
		for _, r := range [...]Rank{RankAnswer, RankGlue, RankFailure} {
			if e := s.get(hash, r, key); e != nil {
				all = append(all, e)
			}
		}
		s.mu.Unlock()
	}
	return all
}

// Known returns what there is to say of an entry.
func (c *Cache) Known(e *Entry, now time.Time) Known { return e.known(e.Name(), c.since(now)) }

// Claim is what the book of claims.go has of an address question: who named the host in an MX answer, and what kept the
// address that came along from becoming glue.
type Claim struct {
	Owner   string `json:"owner"`             // the MX owner that named the host; "" if several did, all saying the same
	Rival   string `json:"rival,omitempty"`   // the MX owner that named it with other addresses, or with none
	Barred  int    `json:"barred,omitempty"`  // seconds for which the two keep the host from getting any glue
	Refused string `json:"refused,omitempty"` // the guard that refused the latest offer, as in Stats.GlueRefused; "" if none did
}

// Claim returns the claim on q's host, if anybody has named it in an MX answer of late. q must be without CD.
func (c *Cache) Claim(q *wire.Query, now time.Time) (Claim, bool) {
	hash, at := maphash.Bytes(c.seed, q.Key()), c.since(now)
	c.claims.mu.Lock()
	defer c.claims.mu.Unlock()
	cl, ok := c.claims.lru.Peek(hash)
	if !ok || at >= cl.ends {
		return Claim{}, false
	}
	told := Claim{Owner: cl.owner, Refused: string(cl.refused)}
	switch {
	case at < cl.barred:
		told.Rival, told.Barred = cl.rival, int((cl.barred-at)/time.Second)
	case cl.refused == claimed: // that is over
		told.Refused = ""
	}
	return told, true
}

// why returns the texts of a failure's extended DNS errors (RFC 8914 §2), which may be a stranger's: what does not print
// is a question mark.
func (e *Entry) why() string {
	if e.more == nil {
		return ""
	}
	var texts []string
	for o := e.more.options; len(o) >= 4; {
		end := 4 + int(binary.BigEndian.Uint16(o[2:]))
		if end > len(o) || end < 6 {
			break
		}
		if end > 6 {
			texts = append(texts, strings.Map(printable, string(o[6:end])))
		}
		o = o[end:]
	}
	return strings.Join(texts, "; ")
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// Policy returns what the options say of glue now, and whether it answers every client.
func (c *Cache) Policy() (glue GluePolicy, forAll bool) {
	o := c.options.Load()
	return o.Glue, o.GlueForAll
}
