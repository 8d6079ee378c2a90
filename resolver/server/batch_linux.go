package server

// Datagrams come and go here, many in one system call. This is the only file of the server with unsafe in it, and this the
// proof: every pointer that the kernel is given points into a batch or to the octets of a slot. A batch is one allocation on the
// heap, which the garbage collector does not move, and the pointers lie in fields of pointer type, so that it sees them and
// keeps what they point to; or they are made in the call itself (put), and the kernel keeps none of them beyond it. Every
// length that the kernel is given is that of what the pointer points to. The calls do not wait (MSG_DONTWAIT), so
// RawSyscall6 keeps no other goroutine from running: what waits is the runtime's poller, in RawConn.Read.

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// batch is the mover of recvmmsg and sendmmsg.
type batch struct {
	conn    *net.UDPConn
	raw     syscall.RawConn // conn's
	outlet  int             // the socket that replies leave from, -1 for conn
	in, out [batchSize]mmsghdr
	inV     [batchSize]unix.Iovec
	outV    [batchSize]unix.Iovec
	from    [batchSize][unix.SizeofSockaddrInet6]byte // has room for both families
	oob     [batchSize][oobRoom]byte
	buf     [batchSize][maxDatagram + apart]byte

	slots [batchSize]slot

	answer func(slots []slot)
	turnFn func(fd uintptr) bool // made once: a method value allocates
}

// apart is one line of the processor's cache, and is put between the buffers: if each began exactly a page after the one before,
// their first lines would all compete for the same few places in that cache.
const apart = 64

// oobRoom is enough for the control messages with a destination address, octets, for both families at once.
const oobRoom = 128

// newMover returns what moves datagrams here: batches, or one at a time where the kernel or a filter refuses those.
func newMover(conn *net.UDPConn, wildcard bool) (mover, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	b := &batch{conn: conn, raw: raw, outlet: -1}
	b.turnFn = b.turn
	for i := range batchSize {
		b.inV[i].Base = &b.buf[i][0]
		b.inV[i].SetLen(maxDatagram)
		h := &b.in[i].hdr
		h.Iov, h.Name = &b.inV[i], &b.from[i][0]
		h.SetIovlen(1)
		if wildcard {
			h.Control = &b.oob[i][0]
		}
		b.out[i].hdr.Iov = &b.outV[i]
		b.out[i].hdr.SetIovlen(1)
	}
	refused := false
	err = raw.Control(func(fd uintptr) { // with no datagram to take there is nothing to lose
		_, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.in[0])), 0, unix.MSG_DONTWAIT, 0, 0)
		refused = errno == unix.ENOSYS || errno == unix.EPERM
	})
	if err != nil || refused {
		return newSingle(conn, wildcard), err
	}
	b.outlet = outlet(conn)
	return b, nil
}

func (b *batch) serve(answer func(slots []slot)) {
	b.answer = answer
	for i := range b.in {
		b.refill(i)
	}
	for {
		// Each Read looks at the deadline first, so that it ends the server also where the queue never empties.
		if err := b.raw.Read(b.turnFn); err != nil {
			return
		}
	}
}

// refill makes room for what the kernel writes beside the datagram.
func (b *batch) refill(i int) {
	h := &b.in[i].hdr
	h.Namelen = unix.SizeofSockaddrInet6
	if h.Control != nil {
		h.SetControllen(oobRoom)
	}
}

// turn takes and answers one batch. It returns true after a full one, for there may be more. One that is not full has emptied
// the queue, and turn returns false to wait: the poller wakes it for whatever has come since this Read began.
func (b *batch) turn(fd uintptr) (more bool) {
	slots := b.take(fd)
	if len(slots) == 0 {
		return false
	}
	b.answer(slots)
	b.send(fd, slots)
	for i := range slots {
		b.refill(i)
	}
	return len(slots) == batchSize
}

// take returns the datagrams that are there, in slots; at most batchSize of them, and maybe none.
func (b *batch) take(fd uintptr) []slot {
	for range batchSize {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.in[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EAGAIN {
			break
		}
		if errno != 0 {
			continue // a signal, or an ICMP error about an earlier reply; what does not pass waits for the next datagram
		}
		slots := b.slots[:n]
		for i := range slots {
			h, d := &b.in[i].hdr, &slots[i]
			d.query = b.buf[i][:b.in[i].len]
			if h.Flags&unix.MSG_TRUNC != 0 {
				d.query = d.query[:0]
			}
			d.from, d.oob, d.reply = b.from[i][:h.Namelen], b.oob[i][:h.Controllen], nil
			d.client = clientOf(&b.from[i])
		}
		return slots
	}
	return nil
}

// send puts the replies back: each goes where its query came from.
func (b *batch) send(fd uintptr, slots []slot) {
	queued := 0
	for i := range slots {
		d := &slots[i]
		if len(d.reply) == 0 {
			continue
		}
		v, h := &b.outV[queued], &b.out[queued].hdr
		v.Base = &d.reply[0]
		v.SetLen(len(d.reply))
		h.Name, h.Namelen = b.in[i].hdr.Name, b.in[i].hdr.Namelen
		h.Control = nil
		if len(d.oob) > 0 {
			h.Control = &d.oob[0]
		}
		h.SetControllen(len(d.oob))
		queued++
	}
	if b.outlet >= 0 {
		fd = uintptr(b.outlet)
	}
	for sent := 0; sent < queued; {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.out[sent])), uintptr(queued-sent), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			sent += int(n)
		case unix.EINTR:
		case unix.EAGAIN:
			if !drain(int(fd)) {
				return
			}
		default:
			sent++ // the first of them cannot be sent; those behind it may
		}
	}
}

// put sends one reply to a query of an earlier batch.
func (b *batch) put(d *slot) {
	if b.outlet < 0 {
		b.conn.WriteMsgUDPAddrPort(d.reply, d.oob, d.client)
		return
	}
	for {
		_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(b.outlet), uintptr(unsafe.Pointer(&d.reply[0])), uintptr(len(d.reply)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&d.from[0])), uintptr(len(d.from)))
		if errno != unix.EINTR && (errno != unix.EAGAIN || !drain(b.outlet)) {
			return
		}
	}
}

func (b *batch) close() {
	if b.outlet >= 0 {
		unix.Close(b.outlet)
	}
}
