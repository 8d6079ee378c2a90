package dane

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Every form of record that a sender can use matches the certificate that it was made of, and no other.
func TestMatchForms(t *testing.T) {
	chain, other := newChain(t, spec{}), newChain(t, spec{})
	for selector := range uint8(2) {
		for matchingType := range uint8(3) {
			for depth, usage := range []uint8{3, 2, 2} {
				record := chain.tlsa(usage, selector, matchingType, depth)
				r := result(t, true, record)
				if how, err := r.Match(chain.certs(), nil, chain.now); err != nil || !strings.Contains(how, record[:5]) {
					t.Errorf("%.20s at depth %d: %q, %v", record, depth, how, err)
				}
				if how, err := r.Match(other.certs(), nil, other.now); err == nil {
					t.Errorf("%.20s at depth %d matches another chain: %s", record, depth, how)
				}
			}
		}
	}
}

// What is checked beside the bytes, and what the owner is told.
func TestMatch(t *testing.T) {
	good, other := newChain(t, spec{}), newChain(t, spec{})
	day := 24 * time.Hour
	named := func(names ...string) testChain { return newChain(t, spec{names: names}) }
	for _, test := range []struct {
		name    string
		chain   testChain
		serve   int // certificates of it
		records func(c testChain) []string
		hops    []string
		want    string // code, and a part of the text; "": it matches
	}{
		{"EE ignores dates", newChain(t, spec{leafEnds: -day}), 3, ee, nil, ""},
		{"EE ignores names", named("else.example"), 3, ee, nil, ""},
		{"EE needs no issuer", good, 1, ee, nil, ""},
		{"EE is the leaf only", good, 3, func(c testChain) []string { return []string{c.tlsa(3, 1, 1, 1)} }, nil, "tlsa-invalid: None of the 1 usable"},
		{"one of two is enough", good, 3, func(c testChain) []string { return []string{other.tlsa(3, 1, 1, 0), c.tlsa(3, 1, 1, 0)} }, nil, ""},
		{"EE saves a TA that fails", newChain(t, spec{leafEnds: -day}), 3, func(c testChain) []string { return []string{c.tlsa(2, 1, 1, 1), c.tlsa(3, 1, 1, 0)} }, nil, ""},
		{"TA checks the leaf's dates", newChain(t, spec{leafEnds: -day}), 3, ta, nil, "certificate-expired: expired"},
		{"TA checks the issuer's dates", newChain(t, spec{caEnds: -day}), 3, ta, nil, "certificate-expired: expired"},
		{"TA above an issuer that ended", newChain(t, spec{caEnds: -day}), 3, func(c testChain) []string { return []string{c.tlsa(2, 1, 1, 2)} }, nil, "certificate-expired: expired"},
		{"TA checks names", named("else.example"), 3, ta, nil, "certificate-host-mismatch: none of mx.example"},
		{"TA takes the next hop", named("next.example"), 3, ta, []string{"next.example"}, ""},
		{"TA takes a wildcard for one label", named("*.example"), 3, ta, nil, ""},
		{"TA takes no wildcard below", named("*.mx.example"), 3, ta, nil, "certificate-host-mismatch: none of"},
		{"TA takes no wildcard in a label", named("m*.example"), 3, ta, nil, "certificate-host-mismatch: none of"},
		{"TA takes the common name without a DNS-ID", newChain(t, spec{names: []string{}, commonName: "mx.example"}), 3, ta, nil, ""},
		{"TA does not beside one", newChain(t, spec{names: []string{"else.example"}, commonName: "mx.example"}), 3, ta, nil, "certificate-host-mismatch: none of"},
		{"TA must be served", good, 1, ta, nil, "tlsa-invalid: is among the 1 certificates"},
		{"TA that is published whole need not", good, 1, func(c testChain) []string { return []string{c.tlsa(2, 0, 0, 1)} }, nil, ""},
		{"TA that is published whole and another's", other, 3, func(testChain) []string { return []string{good.tlsa(2, 0, 0, 1)} }, nil, "certificate-not-trusted: path to it does not hold"},
		{"TA is not the leaf", good, 3, func(c testChain) []string { return []string{c.tlsa(2, 1, 1, 0)} }, nil, "tlsa-invalid: publish it with usage 3"},
		{"TA must have issued the leaf", testChain{good.leaf, other.intermediate, other.root, good.now}, 3, ta, nil, "certificate-not-trusted: path to it does not hold"},
		{"the stronger digest counts", good, 3, func(c testChain) []string { return []string{c.tlsa(3, 1, 1, 0), other.tlsa(3, 1, 2, 0)} }, nil, "tlsa-invalid: digest agility"},
		{"of the same selector only", good, 3, func(c testChain) []string { return []string{c.tlsa(3, 1, 1, 0), other.tlsa(3, 0, 2, 0)} }, nil, ""},
		{"whole data always counts", good, 3, func(c testChain) []string { return []string{c.tlsa(3, 1, 0, 0), other.tlsa(3, 1, 2, 0)} }, nil, ""},
		{"an unusable digest does not shadow", good, 3, func(c testChain) []string { return []string{c.tlsa(3, 1, 1, 0), "3 1 2 abcd"} }, nil, ""},
		{"unusable", good, 3, func(c testChain) []string { return []string{c.tlsa(1, 1, 1, 0)} }, nil, "validation-failure: no TLSA record to match"},
		{"no certificate", good, 0, ee, nil, "validation-failure: sent no certificate"},
	} {
		_, err := result(t, true, test.records(test.chain)...).Match(test.chain.certs()[:test.serve], test.hops, test.chain.now)
		check(t, test.name, err, test.want)
	}
}

// ee and ta are the records that most hosts publish.
func ee(c testChain) []string { return []string{c.tlsa(3, 1, 1, 0)} }
func ta(c testChain) []string { return []string{c.tlsa(2, 1, 1, 1)} }

// check holds an error against "code: part of the text".
func check(t *testing.T, name string, err error, want string) {
	t.Helper()
	got := ""
	if mismatch := (*MatchError)(nil); errors.As(err, &mismatch) {
		got = mismatch.Code + ": " + mismatch.Text
	}
	code, text, _ := strings.Cut(want, ": ")
	if (got == "") != (want == "") || !strings.HasPrefix(got, code) || !strings.Contains(got, text) {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}

// Behind an insecure MX answer the domain of the mail is no name that proves anything (RFC 7672 3.2.2).
func TestNextHopNeedsSecureMX(t *testing.T) {
	chain := newChain(t, spec{names: []string{"next.example"}})
	_, err := result(t, false, ta(chain)...).Match(chain.certs(), []string{"next.example"}, chain.now)
	check(t, "insecure MX", err, "certificate-host-mismatch: none of mx.example")
}

// A mismatch tells the record that would be right.
func TestMismatchTellsTheKey(t *testing.T) {
	chain, other := newChain(t, spec{}), newChain(t, spec{})
	_, err := result(t, true, ee(other)...).Match(chain.certs(), nil, chain.now)
	check(t, "mismatch", err, "tlsa-invalid: "+chain.tlsa(3, 1, 1, 0))
}

func TestAdvise(t *testing.T) {
	chain := newChain(t, spec{leafEnds: 10 * 24 * time.Hour})
	soon := 21 * 24 * time.Hour
	for _, test := range []struct {
		name    string
		records []string
		soon    time.Duration
		want    []string
	}{
		{"ends soon, one record", ee(chain), soon, []string{"ends on 2026-01-11"}},
		{"ends soon, two records", append(ee(chain), "3 1 1 "+digest), soon, nil},
		{"ends later", ee(chain), 24 * time.Hour, nil},
		{"no 3 1 1", ta(chain), 0, []string{"the server's key is " + chain.tlsa(3, 1, 1, 0)}},
		{"no records", nil, soon, nil},
	} {
		advice := result(t, true, test.records...).Advise(chain.leaf, chain.now, test.soon)
		if len(advice) != len(test.want) {
			t.Errorf("%s: got %q, want %q", test.name, advice, test.want)
			continue
		}
		for i, want := range test.want {
			if !strings.Contains(advice[i], want) {
				t.Errorf("%s: got %q, want %q", test.name, advice[i], want)
			}
		}
	}
}
