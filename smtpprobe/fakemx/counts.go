package fakemx

import (
	"fmt"
	"net/netip"
)

// A Visit is what one client did.
type Visit struct {
	Client      netip.Addr // invalid where the connection has no IP address
	Said        []string   // its commands without line endings, 100 at most of 2 KiB at most: escape them before showing
	Early       bool       // it talked before the greeting's last line, or before the 220 of STARTTLS
	TLS         bool       // a handshake succeeded
	TLSFailed   bool       // a handshake was begun and failed
	Quit        bool       // it said QUIT
	MissingQuit bool       // it left without, though nothing kept it from saying so (RFC 5321 4.1.1.10: MUST NOT)
}

// Counts sums the visits up.
type Counts struct {
	Connections   int `json:"connections"`     // all of them, those turned away too
	TurnedAway    int `json:"turned_away"`     // over Server.MaxConnections
	PeakPerClient int `json:"peak_per_client"` // most connections that one client had at the same time
	EarlyTalkers  int `json:"early_talkers"`
	Quits         int `json:"quits"`
	MissingQuits  int `json:"missing_quits"`
	Handshakes    int `json:"tls_handshakes"`
	HandshakeFail int `json:"tls_handshakes_failed"`
}

// String tells the counts in one line.
func (c Counts) String() string {
	return fmt.Sprintf("connections %d (turned away %d), at a time from one client %d, early talkers %d, QUITs %d, missing QUITs %d, "+
		"TLS handshakes %d, failed ones %d", c.Connections, c.TurnedAway, c.PeakPerClient, c.EarlyTalkers, c.Quits, c.MissingQuits,
		c.Handshakes, c.HandshakeFail)
}

// Counts returns what was counted so far. A visit's deeds are counted when it ends.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// enter counts a connection, and tells whether there is room for it. leave must follow if so.
func (s *Server) enter(client netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Connections++
	if s.open >= s.maxConnections() {
		s.counts.TurnedAway++
		return false
	}
	if s.openBy == nil {
		s.openBy = map[netip.Addr]int{}
	}
	s.open++
	s.openBy[client]++
	s.counts.PeakPerClient = max(s.counts.PeakPerClient, s.openBy[client])
	return true
}

// leave counts what a client did.
func (s *Server) leave(v Visit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.openBy[v.Client]--; s.openBy[v.Client] == 0 {
		delete(s.openBy, v.Client) // so the map is no larger than the connections are many
	}
	for _, c := range []struct {
		count *int
		did   bool
	}{
		{&s.counts.EarlyTalkers, v.Early}, {&s.counts.Quits, v.Quit}, {&s.counts.MissingQuits, v.MissingQuit},
		{&s.counts.Handshakes, v.TLS}, {&s.counts.HandshakeFail, v.TLSFailed},
	} {
		if c.did {
			*c.count++
		}
	}
}
