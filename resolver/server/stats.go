package server

// Stats is a snapshot of what the sockets saw since the start.
type Stats struct {
	UDPQueries        uint64 `json:"udp_queries"`         // well-formed queries that came in over UDP
	TCPQueries        uint64 `json:"tcp_queries"`         // well-formed queries that came in over TCP
	Dropped           uint64 `json:"dropped"`             // queries left unanswered because every miss slot was taken
	Malformed         uint64 `json:"malformed"`           // datagrams and messages that were no DNS query
	Refused           uint64 `json:"refused"`             // queries of clients that server.allow does not name
	TCPConnections    int    `json:"tcp_connections"`     // TCP connections open now
	TCPRejectedClient uint64 `json:"tcp_rejected_client"` // of these, because of server.tcp_per_client
	TCPRejected       uint64 `json:"tcp_rejected"`        // TCP connections closed at once because a cap was reached
}
