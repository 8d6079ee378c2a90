package smtpprobe

import "time"

// TLSVerdictOK is the TLS verdict when there is nothing to report; the others are the result types of RFC 8460 4.3.
const TLSVerdictOK = "ok"

// The result types of RFC 8460 4.3 that a connection can have.
const (
	StartTLSNotSupported    = "starttls-not-supported"
	CertificateHostMismatch = "certificate-host-mismatch"
	CertificateExpired      = "certificate-expired"
	CertificateNotTrusted   = "certificate-not-trusted"
	ValidationFailure       = "validation-failure" // everything else, a handshake that failed included
)

// TLS is what became of STARTTLS, or of implicit TLS, on one connection. The verdict is that of a sender who
// demands a certificate of a public CA for the exchanger's name; one who does not may be content (see Senders).
type TLS struct {
	Offered       bool          `json:"offered"`                // STARTTLS stood among the EHLO keywords, or TLS is implicit
	Established   bool          `json:"established"`            // the handshake was completed
	Verdict       string        `json:"verdict"`                // "ok", or a result type of RFC 8460 4.3
	Detail        string        `json:"detail,omitempty"`       // why the verdict is what it is
	Name          string        `json:"server_name,omitempty"`  // SNI (RFC 6066 3)
	Version       string        `json:"version,omitempty"`      // "TLS 1.3"
	Cipher        string        `json:"cipher,omitempty"`       // suite, "TLS_AES_128_GCM_SHA256"
	KeyExchange   string        `json:"key_exchange,omitempty"` // the group, "X25519MLKEM768"; "RSA" where there is none
	Chain         []Certificate `json:"chain,omitempty"`        // as served, the leaf first
	Trusted       bool          `json:"trusted"`                // leads to a root of ours, whatever the names
	NameMatches   bool          `json:"name_matches"`           // a DNS-ID of the leaf is the exchanger's name
	DomainMatches bool          `json:"domain_matches"`         // or the domain's; information
	SPKI          string        `json:"spki,omitempty"`         // "3 1 1 <hex>": TLSA data for this key (RFC 7671 5.1)
	NotAfter      time.Time     `json:"not_after,omitzero"`     // the earliest of the chain
	Injected      bool          `json:"injected,omitempty"`     // octets followed the 220 of STARTTLS
	Legacy        string        `json:"legacy,omitempty"`       // what a second handshake from TLS 1.0 on agreed on
	DANE          *Match        `json:"dane,omitempty"`         // nil: no usable TLSA records
	STS           *Match        `json:"mta_sts,omitempty"`      // nil: no policy
}

// Match tells whether a certificate is what somebody demands.
type Match struct {
	OK   bool   `json:"ok"`             // it is
	How  string `json:"how,omitempty"`  // what matched
	Why  string `json:"why,omitempty"`  // why nothing did
	Code string `json:"code,omitempty"` // of that, RFC 8460 4.3
	Rule string `json:"rule,omitempty"` // that was broken
}

// Certificate is one element of a served chain.
type Certificate struct {
	Subject    string    `json:"subject"`               // distinguished name
	Issuer     string    `json:"issuer"`                // distinguished name
	Names      []string  `json:"names,omitempty"`       // DNS-IDs; at most 20
	NotBefore  time.Time `json:"not_before"`            // it holds from then on
	NotAfter   time.Time `json:"not_after"`             // and until then
	Key        string    `json:"key"`                   // "RSA 2048", "ECDSA P-256", "Ed25519"
	Signature  string    `json:"signature"`             // "SHA256-RSA"
	SelfSigned bool      `json:"self_signed,omitempty"` // by its own key
}
