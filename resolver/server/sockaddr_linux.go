package server

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// clientOf reads an address that the kernel wrote: a struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)). Port and address
// are in network order.
func clientOf(sa *[unix.SizeofSockaddrInet6]byte) netip.AddrPort {
	port := binary.BigEndian.Uint16(sa[2:])
	if binary.NativeEndian.Uint16(sa[0:]) == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(sa[4:])), port)
	}
	addr := netip.AddrFrom16([16]byte(sa[8:])).Unmap()
	if scope := binary.NativeEndian.Uint32(sa[24:]); scope != 0 { // link-local
		addr = addr.WithZone(strconv.FormatUint(uint64(scope), 10))
	}
	return netip.AddrPortFrom(addr, port)
}
