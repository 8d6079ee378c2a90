//go:build !linux

package server

import "syscall"

// Elsewhere the kernel does not spread clients over sockets that share a port.
func socketsPerAddress() int { return 1 }

func reusePort(_, _ string, _ syscall.RawConn) error { return nil }
