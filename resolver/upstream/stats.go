package upstream

// Stats is a snapshot of what one upstream was asked and how it did.
type Stats struct {
	Address     string  `json:"address"`     // as configured: udp://192.0.2.1:53
	Queries     uint64  `json:"queries"`     // queries sent, repeats over TCP included
	Failures    uint64  `json:"failures"`    // no usable response: timeout, network error, SERVFAIL, REFUSED
	Mismatched  uint64  `json:"mismatched"`  // responses thrown away: wrong address, ID or question
	TCP         uint64  `json:"tcp"`         // queries that went over TCP, TLS or HTTPS
	Connections uint64  `json:"connections"` // opened for them, TLS handshakes included
	RTTms       float64 `json:"rtt_ms"`      // smoothed round trip, milliseconds; 0 before the first response
	Validates   bool    `json:"validates"`   // it has set AD
	Down        bool    `json:"down"`        // silent or unreachable of late: asked last
	Trusted     bool    `json:"trusted"`     // its AD bit can be believed: loopback or encrypted
	LastError   string  `json:"last_error,omitempty"`
	Times       Times   `json:"-"` // of the round trips that brought a response; those of repeats are one
}
