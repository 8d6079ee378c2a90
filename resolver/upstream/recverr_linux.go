package upstream

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// receiveErrors asks for ICMP errors on a socket that is not connected (ip(7) IP_RECVERR): a refused port fails at once,
// and the next upstream is asked, instead of waiting for the time-out.
func receiveErrors(network, _ string, c syscall.RawConn) error {
	var err error
	set := func(fd uintptr) {
		if network == "udp6" {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		}
	}
	if e := c.Control(set); e != nil {
		return e
	}
	return err
}
