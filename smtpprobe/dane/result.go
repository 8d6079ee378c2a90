package dane

import (
	"time"
)

// Status is what the TLSA records of a host ask of a sender.
type Status string

// The statuses. RFC 7672 2.2 tells what follows from each.
const (
	None     Status = "none"     // no TLSA records, or none that are authentic: DANE does not apply
	Secure   Status = "secure"   // at least one usable record: the served chain must match one (Result.Match)
	Unusable Status = "unusable" // records, none of them usable: TLS is required, authentication is not possible
	Error    Status = "error"    // the question failed: a DANE sender must not deliver to this host (defer)
	Unknown  Status = "unknown"  // the resolver does not validate DNSSEC, or the way to it can be tampered with, so nothing can be said
)

// Result is the outcome of one Lookup. Its texts are printable and bounded.
type Result struct {
	Status        Status    `json:"status"`
	Base          string    `json:"base,omitempty"`          // TLSA base domain, no final dot (RFC 7671 section 7)
	Records       []Record  `json:"records,omitempty"`       // in the order of the answer
	MXSecure      bool      `json:"mx_secure"`               // the MX answer was authentic: else DANE is no secure delivery (RFC 7672 2.2.1)
	SignatureEnds time.Time `json:"signature_ends,omitzero"` // of the TLSA RRset, the first one to end
	Detail        string    `json:"detail"`                  // one sentence, with the evidence
	Rule          string    `json:"rule"`                    // that decided the status: "RFC 7672 §2.2"
	Warnings      []string  `json:"warnings,omitempty"`      // sentences
}

// Record is one TLSA record (RFC 6698 2.1).
type Record struct {
	Usage        uint8  `json:"usage"`         // 0 to 3
	Selector     uint8  `json:"selector"`      // 0 the certificate, 1 its key
	MatchingType uint8  `json:"matching_type"` // 0 whole, 1 SHA-256, 2 SHA-512
	Data         string `json:"data"`          // hexadecimal, clipped to 128 digits
	Usable       bool   `json:"usable"`        // by a sender (RFC 7672 3.1)
	Why          string `json:"why,omitempty"` // it is not usable, and what to do

	data []byte
}

// Host is an exchanger whose addresses are known already: they are asked for first (RFC 7672 2.2.2).
type Host struct {
	Name     string // as in the MX record, in A-labels
	Expanded string // the end of its CNAME chain; "" or Name where it is no alias
	Secure   bool   // the A or the AAAA answer, its CNAMEs included, was authentic: one family suffices
	MXSecure bool   // the MX answer was; true too where a host was given in place of a domain
}

// MatchError tells why a chain matches no record.
type MatchError struct {
	Code string // RFC 8460 4.3: tlsa-invalid, certificate-host-mismatch, certificate-expired, certificate-not-trusted
	Rule string // "RFC 7672 §3.1.1"
	Text string // one sentence
}

// Error is the sentence.
func (e *MatchError) Error() string { return e.Text }
