package records

// Result is what a domain says of itself beside its MX.
type Result struct {
	TLSRPT   TLSRPT    `json:"tlsrpt"`
	SPF      SPF       `json:"spf"`
	DMARC    DMARC     `json:"dmarc"`
	Findings []Finding `json:"findings"`
}

// Status is what became of one record.
type Status string

// The statuses.
const (
	None    Status = "none"    // there is none
	OK      Status = "ok"      // there is one, and it can be used
	Invalid Status = "invalid" // there is one that cannot be used, or several
	Unknown Status = "unknown" // the question failed
)

// The severities of a Finding.
const (
	Info            = "info"
	Warning         = "warning" // a record is broken
	UnknownSeverity = "unknown" // a question failed
)

// Finding is one sentence about a domain or an address.
type Finding struct {
	Severity string `json:"severity"` // info, warning, unknown
	Code     string `json:"code"`     // tlsrpt, spf, spf_lookups, spf_void, spf_ptr, spf_all, dmarc, dmarc_rua, dmarc_tags, fcrdns
	Rule     string `json:"rule"`     // "RFC 7208 §4.6.4"
	About    string `json:"about"`    // the domain or the address
	Text     string `json:"text"`     // with the evidence
}

// TLSRPT tells where reports about failed TLS go (RFC 8460 3).
type TLSRPT struct {
	Status Status   `json:"status"`
	Record string   `json:"record,omitempty"` // as published
	RUA    []string `json:"rua,omitempty"`    // where reports go
}

// SPF tells who may send mail from a domain (RFC 7208).
type SPF struct {
	Status  Status `json:"status"`
	Record  string `json:"record,omitempty"` // as published
	All     string `json:"all,omitempty"`    // the all mechanism with its qualifier ("-all"), also one that redirect leads to
	Lookups int    `json:"lookups"`          // terms that make a receiver ask; more than 10 are an error (RFC 7208 4.6.4)
	Void    int    `json:"void_lookups"`     // questions without an answer; more than 2 are one too
	Cut     bool   `json:"cut,omitempty"`    // not everything could be asked: the counts are lower bounds
}

// DMARC tells what is to become of mail that fails SPF and DKIM (RFC 9989).
type DMARC struct {
	Status  Status   `json:"status"`
	Record  string   `json:"record,omitempty"`  // as published
	Domain  string   `json:"domain,omitempty"`  // where it stands: the domain, its organizational or its public suffix domain
	Policy  string   `json:"policy,omitempty"`  // for the domain asked, as published: p, or sp of a domain above it
	Testing bool     `json:"testing,omitempty"` // t=y: receivers are asked for one step less than the policy
	RUA     []string `json:"rua,omitempty"`     // where reports go, without the size limits of RFC 7489
}

// PTR is the reverse name of an address, and whether it leads back: forward-confirmed reverse DNS.
type PTR struct {
	Status    Status   `json:"status"`              // ok: a name leads back; invalid: none does; none: no PTR record
	Names     []string `json:"names,omitempty"`     // of the PTR records, at most 5
	Confirmed string   `json:"confirmed,omitempty"` // the name that leads back
	Detail    string   `json:"detail"`              // one sentence
}
