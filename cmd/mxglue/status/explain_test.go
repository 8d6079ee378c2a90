package status

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

var mta = netip.MustParseAddr("127.0.0.1")

// answered is a question whose answer lives: the data follow.
func answered(name, qtype string, ad bool, data ...string) resolver.Memory {
	k := cache.Known{Name: name, Type: qtype, Rank: "answer", Rcode: "NOERROR", State: "live", TTL: 299, Age: 61, AD: ad, By: "client", Client: mta, Upstream: "udp://192.0.2.53:53"}
	for _, d := range data {
		k.Records = append(k.Records, name+"\t300\tIN\t"+qtype+"\t"+d)
	}
	return resolver.Memory{Name: name, Type: qtype, State: resolver.Live, Source: "cache", Rcode: "NOERROR", Data: data, Known: []cache.Known{k}, Zone: "."}
}

// from changes what is known of a question.
func from(m resolver.Memory, source, rank, by string) resolver.Memory {
	m.Source, m.Known[0].Rank, m.Known[0].By = source, rank, by
	if source == "glue" {
		m.Claim = &cache.Claim{Owner: "example.com."}
	}
	return m
}

// servfail is a question that nobody could answer.
func servfail(name, qtype, why string) resolver.Memory {
	m := from(answered(name, qtype, false), "cache", "failure", "client")
	m.Rcode, m.Known[0].Rcode, m.Known[0].Why = "SERVFAIL", "SERVFAIL", why
	return m
}

func unknown(name, qtype string) resolver.Memory {
	return resolver.Memory{Name: name, Type: qtype, State: resolver.Unknown, Zone: "."}
}

// twoHosts is a domain whose first host came as glue, and whose second is secure.
func twoHosts() resolver.Explanation {
	second := unknown("mx2.example.com.", "AAAA")
	second.Claim = &cache.Claim{Owner: "example.com.", Rival: "evil.example.", Barred: 82800, Refused: "claimed"}
	third := unknown("mx1.example.com.", "AAAA")
	third.Claim = &cache.Claim{Owner: "example.com.", Refused: "oversize"}
	return resolver.Explanation{
		Domain: "example.com.", At: time.Unix(1000, 0), Known: true, Glue: cache.Trust,
		MX: answered("example.com.", "MX", true, "10 mx1.example.com.", "20 mx2.example.com."),
		Exchangers: []resolver.Exchanger{
			{Name: "mx1.example.com.", Preference: 10, A: from(answered("mx1.example.com.", "A", false, "192.0.2.1"), "glue", "glue", "client"),
				AAAA: third, TLSA: unknown("_25._tcp.mx1.example.com.", "TLSA")},
			{Name: "mx2.example.com.", Preference: 20, A: from(answered("mx2.example.com.", "A", true, "192.0.2.2"), "bundle", "answer", "bundle"),
				AAAA: second, TLSA: answered("_25._tcp.mx2.example.com.", "TLSA", true, "3 1 1 "+strings.Repeat("0123456789abcdef", 4))},
		},
		More: 1,
		Routes: []resolver.RouteNow{{Zone: ".", Policy: resolver.InOrder, Upstreams: []upstream.Stats{
			{Address: "udp://192.0.2.53:53", RTTms: 12, Validates: true}, {Address: "udp://192.0.2.54:53", Down: true, LastError: "no response within 1.5s"}}}},
	}
}

// TestExplanationForTheTerminal is one screen, to the character.
func TestExplanationForTheTerminal(t *testing.T) {
	e := Explanation{Explanation: twoHosts(), Postfix: postfix(twoHosts()), Verdict: &Verdict{"ok\x1b[2J", time.Unix(820, 0)}}
	var b strings.Builder
	if err := WriteExplanation(&b, e); err != nil {
		t.Fatal(err)
	}
	want := `
PREF  NAME                       TYPE  STATE    TTL  AD  RANK    SOURCE               LEARNED        BY                    UPSTREAM             SAYS
      example.com.               MX    live     299  ad  answer  cache                1 min 1 s ago  client for 127.0.0.1  udp://192.0.2.53:53  10 mx1.example.com., 20 mx2.example.com.
  10  mx1.example.com.           A     live     299  -   glue    glue of example.com  1 min 1 s ago  client for 127.0.0.1  udp://192.0.2.53:53  192.0.2.1
      mx1.example.com.           AAAA  unknown  -    -   -       -                    -              -                     -                    (nobody has asked)
      _25._tcp.mx1.example.com.  TLSA  unknown  -    -   -       -                    -              -                     -                    (nobody has asked)
  20  mx2.example.com.           A     live     299  ad  answer  bundle               1 min 1 s ago  bundle for 127.0.0.1  udp://192.0.2.53:53  192.0.2.2
      mx2.example.com.           AAAA  unknown  -    -   -       -                    -              -                     -                    (nobody has asked)
      _25._tcp.mx2.example.com.  TLSA  live     299  ad  answer  cache                1 min 1 s ago  client for 127.0.0.1  udp://192.0.2.53:53  3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef01234…

Not shown: 1 more exchanger, of worse preference.
Glue answers only 127.0.0.1, which was sent it with the MX answer, and no query for DNSSEC (DO, AD); others make upstream be asked: mx1.example.com A.
Missing, and to be asked upstream: mx1.example.com AAAA, mx2.example.com AAAA.
Missing, if a client does DANE: _25._tcp.mx1.example.com TLSA.
Came with the MX answer of example.com and is no glue, because the datagram was so large that it may have come in fragments: mx1.example.com AAAA.
No glue for 23 h 0 min, because example.com and evil.example do not say the same of it: mx2.example.com AAAA.
Upstream: udp://192.0.2.53:53 (answering, 12 ms, its AD bit not passed on (resolver.dnssec)), then udp://192.0.2.54:53 (down: no response within 1.5s).
Postfix would wait for mx1.example.com AAAA, mx2.example.com AAAA, then try mx1.example.com (192.0.2.1), then mx2.example.com (192.0.2.2); DANE is not known (no authentic address yet, which glue never is) for mx1.example.com, usable for mx2.example.com.
The prober's last word, 3 min 0 s ago: ok?[2J.
`
	if got := "\n" + b.String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// A sentence on every way that a domain's mail can go.
func TestWhatPostfixWouldDo(t *testing.T) {
	const name = "a.example."
	host := func(preference uint16, a, aaaa, tlsa resolver.Memory) resolver.Exchanger {
		return resolver.Exchanger{Name: a.Name, Preference: preference, A: a, AAAA: aaaa, TLSA: tlsa}
	}
	secure := func(preference uint16, host string, tlsa ...string) resolver.Exchanger {
		return resolver.Exchanger{Name: host, Preference: preference, A: answered(host, "A", true, "192.0.2.1"), AAAA: answered(host, "AAAA", true),
			TLSA: answered("_25._tcp."+host, "TLSA", true, tlsa...)}
	}
	plain := func(preference uint16, host string) resolver.Exchanger {
		tlsa := unknown("_25._tcp."+host, "TLSA")
		tlsa.State = resolver.Needless
		return resolver.Exchanger{Name: host, Preference: preference, A: answered(host, "A", false, "192.0.2.1"), AAAA: answered(host, "AAAA", false, "2001:db8::1"), TLSA: tlsa}
	}
	nx := answered(name, "MX", false)
	nx.Rcode = "NXDOMAIN"
	stale := answered(name, "MX", false, "1 mx.")
	stale.State = resolver.Stale
	mx, ad := answered(name, "MX", false, "1 mx."), answered(name, "MX", true, "1 mx.")
	insecureTLSA := secure(1, "mx.", "3 1 1 00")
	insecureTLSA.TLSA.Known[0].AD = false
	failing := secure(1, "mx.")
	failing.TLSA = servfail("_25._tcp.mx.", "TLSA", "")
	notAsked := secure(1, "mx.")
	notAsked.TLSA = unknown("_25._tcp.mx.", "TLSA")
	for _, c := range []struct {
		mx    resolver.Memory
		hosts []resolver.Exchanger
		want  string
	}{
		{unknown(name, "MX"), nil, "Postfix would wait for the MX of a.example first (unknown)."},
		{stale, []resolver.Exchanger{plain(1, "mx.")}, "Postfix would wait for the MX of a.example first (stale)."},
		{nx, nil, "Postfix would return the mail: a.example does not exist."},
		{servfail(name, "MX", "says who"), nil, "Postfix would keep the mail and try again later: no upstream could tell the MX (says who)."},
		{answered(name, "MX", false, "0 ."), nil, "Postfix would return the mail: the null MX of a.example says that it takes none."},
		{mx, []resolver.Exchanger{plain(1, "mx1."), plain(1, "mx2."), plain(2, "mx3.")},
			"Postfix would try mx1 (192.0.2.1, 2001:db8::1) or mx2 (192.0.2.1, 2001:db8::1), then mx3 (192.0.2.1, 2001:db8::1), 5 addresses at most; DANE is not usable (addresses not authentic)."},
		{mx, []resolver.Exchanger{host(1, answered("mx.", "A", false), answered("mx.", "AAAA", false), unknown("mx.", "TLSA"))},
			"Postfix would return the mail: no exchanger has an address."},
		{mx, []resolver.Exchanger{host(1, answered("192.0.2.7.", "A", false), unknown("192.0.2.7.", "AAAA"), resolver.Memory{State: resolver.Needless})},
			"Postfix would try 192.0.2.7 (192.0.2.7); DANE is not usable (addresses not authentic)."},
		{mx, []resolver.Exchanger{host(1, servfail("mx.", "A", ""), answered("mx.", "AAAA", false), unknown("mx.", "TLSA"))},
			"Postfix would keep the mail and try again later: no upstream could tell mx A."},
		{mx, []resolver.Exchanger{host(1, unknown("mx.", "A"), answered("mx.", "AAAA", false), unknown("mx.", "TLSA"))},
			"Postfix would wait for mx A: no address is known yet."},
		{ad, []resolver.Exchanger{secure(1, "mx.", "3 1 1 00")}, "Postfix would try mx (192.0.2.1); DANE is usable."},
		{mx, []resolver.Exchanger{secure(1, "mx.", "1 1 1 00", "2 0 1 00")},
			"Postfix would try mx (192.0.2.1); DANE is usable, though the MX answer, which is not authentic, may name any host."},
		{ad, []resolver.Exchanger{secure(1, "mx.", "0 1 1 00", "1 1 1 00", "3 2 1 00", "3 1 3 00")},
			"Postfix would try mx (192.0.2.1); DANE is not usable (TLSA of no use: TLS is required, and not checked)."},
		{ad, []resolver.Exchanger{secure(1, "mx.")}, "Postfix would try mx (192.0.2.1); DANE is not usable (no TLSA record)."},
		{ad, []resolver.Exchanger{insecureTLSA}, "Postfix would try mx (192.0.2.1); DANE is not usable (TLSA not authentic)."},
		{ad, []resolver.Exchanger{failing}, "Postfix would try mx (192.0.2.1); DANE is failing (TLSA cannot be found out: with DANE the host is passed over)."},
		{ad, []resolver.Exchanger{notAsked}, "Postfix would try mx (192.0.2.1); DANE is not known (TLSA unknown)."},
	} {
		if got := postfix(resolver.Explanation{Domain: name, MX: c.mx, Exchangers: c.hosts}); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// GET asks nobody; POST does, and no web page can send it. Both are for loopback or the token.
func TestExplainAsksOnlyWhenPosted(t *testing.T) {
	var asked []string
	d := Daemon{
		Snapshot: idle, Token: rightToken,
		Explain: func(ctx context.Context, domain string, ask bool) (resolver.Explanation, error) {
			if domain == "" {
				return resolver.Explanation{}, errors.New("no domain")
			}
			if _, ok := ctx.Deadline(); !ok {
				t.Error("asked without a deadline")
			}
			asked = append(asked, map[bool]string{false: "look ", true: "ask "}[ask]+domain)
			return twoHosts(), nil
		},
		Verdict: func(domain string) (string, time.Time, bool) { return "ok", time.Unix(7, 0), domain == "example.com." },
	}
	for _, c := range []struct {
		method, client, header string
		want                   int
		does                   string
	}{
		{"GET", "127.0.0.1:1", "", 200, "look a.example"},
		{"POST", "127.0.0.1:1", "", 200, "ask a.example"},
		{"POST", "127.0.0.1:1", "Sec-Fetch-Site: cross-site", 403, ""},
		{"POST", "127.0.0.1:1", "Origin: http://evil.example", 403, ""},
		{"GET", "192.0.2.1:1", "", 403, ""},
		{"POST", "192.0.2.1:1", "", 403, ""},
		{"POST", "192.0.2.1:1", "Authorization: Bearer " + rightToken, 200, "ask a.example"},
	} {
		asked = nil
		response := tell(d, c.method, "/explain?name=a.example", c.client, c.header)
		text := body(t, response)
		if response.StatusCode != c.want || strings.Join(asked, ", ") != c.does {
			t.Errorf("%s from %s with %q: %s, did %q; want %d and %q", c.method, c.client, c.header, response.Status, asked, c.want, c.does)
		}
		var e Explanation
		if c.want == 200 && (json.Unmarshal([]byte(text), &e) != nil || e.Postfix == "" || e.Domain != "example.com." ||
			len(e.Exchangers) != 2 || e.Verdict == nil || e.Verdict.Text != "ok") {
			t.Errorf("%s: answered\n%s", c.method, text)
		}
	}
	if response := tell(d, "GET", "/explain", "127.0.0.1:1"); response.StatusCode != 400 || body(t, response) != "no domain\n" {
		t.Errorf("without a name: %s, want 400 and why", response.Status)
	}
	if response := tell(Daemon{Snapshot: idle}, "GET", "/explain?name=a.example", "127.0.0.1:1"); response.StatusCode != 404 {
		t.Errorf("a daemon that cannot explain: %s, want 404", response.Status)
	}
}
