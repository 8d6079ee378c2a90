//go:build !linux

package server

import "net"

// newMover returns what moves datagrams here: one at a time.
func newMover(conn *net.UDPConn, wildcard bool) (mover, error) { return newSingle(conn, wildcard), nil }
