//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// upstream answers from nothing but the question, at once but for the names that begin with "slow". It counts what it is
// asked.
type upstream struct{ queries atomic.Uint64 }

// serveUpstream is the upstream's process.
func serveUpstream(port string) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("port %q: want a number", port)
	}
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n})
	if err != nil {
		return err
	}
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n})
	if err != nil {
		return err
	}
	var u upstream
	go u.serveTCP(tcp)
	u.serveUDP(udp)
	return nil
}

func (u *upstream) serveUDP(conn *net.UDPConn) {
	buf, out := make([]byte, 4096), make([]byte, 0, 1232)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		reply := u.answer(out, buf[:n])
		switch {
		case reply == nil:
		case slow(buf[:n]):
			late := bytes.Clone(reply)
			time.AfterFunc(slowness, func() { conn.WriteToUDPAddrPort(late, from) })
		default:
			conn.WriteToUDPAddrPort(reply, from)
		}
	}
}

func (u *upstream) serveTCP(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			buf, out := make([]byte, 65535), make([]byte, 2, 1234)
			for {
				msg, err := readFramed(conn, buf)
				if err != nil {
					return
				}
				reply := u.answer(out, msg)
				if reply == nil {
					return
				}
				if slow(msg) {
					time.Sleep(slowness)
				}
				binary.BigEndian.PutUint16(reply, uint16(len(reply)-2))
				if _, err := conn.Write(reply); err != nil {
					return
				}
			}
		}()
	}
}

// ttl is that of all records, seconds: none ends in a run.
const ttl = 86400

// zone is bench.example, packed.
var zone = []byte("\x05bench\x07example\x00")

// answer appends the response to a query, or returns nil if it is none.
func (u *upstream) answer(dst, query []byte) []byte {
	end := questionEnd(query)
	if end < 0 {
		return nil
	}
	qtype := binary.BigEndian.Uint16(query[end-4:])
	if qtype != typeCount {
		u.queries.Add(1)
	}
	n := len(dst)
	dst = append(dst, query[:end]...)
	msg := dst[n:] // the header's place, whatever is appended
	msg[2], msg[3] = 0x80|query[2]&1, 0x80|query[3]&0x10
	counts := [3]byte{1, 0, 0}
	name := query[12 : end-4]
	switch below := len(name) > len(zone) && bytes.EqualFold(name[len(name)-len(zone):], zone); {
	case !below:
		msg[3], counts[0] = msg[3]|3, 0 // NXDOMAIN: servers ask about the root, too
	case qtype == typeA:
		dst = record(dst, 12, typeA, 192, 0, 2, query[end-5-len(zone)])
	case qtype == typeAAAA:
		dst = record(dst, 12, typeAAAA, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
	case qtype == typeMX:
		dst, counts = exchangers(dst, n)
	case qtype == typeCount:
		dst = record(dst, 12, typeCount, binary.BigEndian.AppendUint64(nil, u.queries.Load())...)
	default:
		dst, counts = soa(dst, query[:end]), [3]byte{0, 1, 0}
	}
	if binary.BigEndian.Uint16(query[10:]) > 0 { // an OPT, as nobody sends anything else
		dst = append(dst, opt(0)...)
		counts[2]++
	}
	msg = dst[n:]
	copy(msg[6:12], []byte{0, counts[0], 0, counts[1], 0, counts[2]})
	return dst
}

// slowness is how long the upstream takes for slow names.
const slowness = 300 * time.Millisecond

// slow says whether a query is for a slow name.
func slow(query []byte) bool {
	return len(query) > 17 && bytes.EqualFold(query[13:17], []byte("slow"))
}

// questionEnd returns where the one question of a query ends, or -1 if it is no query.
func questionEnd(query []byte) int {
	if len(query) < 17 || query[2]&0xf8 != 0 || binary.BigEndian.Uint16(query[4:]) != 1 {
		return -1
	}
	off := 12
	for query[off] != 0 {
		if off += 1 + int(query[off]); off >= len(query) {
			return -1
		}
	}
	if off+5 > len(query) {
		return -1
	}
	return off + 5
}

// record appends a record whose owner stands at an offset (RFC 1035 §4.1.4).
func record(dst []byte, owner uint16, rtype uint16, data ...byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, 0xc000|owner)
	dst = binary.BigEndian.AppendUint16(dst, rtype)
	dst = append(dst, 0, 1)
	dst = binary.BigEndian.AppendUint32(dst, ttl)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(data)))
	return append(dst, data...)
}

// exchangers appends two MX records, and the addresses of their hosts as additional section. start is where the message
// begins.
func exchangers(dst []byte, start int) ([]byte, [3]byte) {
	var at [2]uint16
	for i := range at {
		dst = record(dst, 12, typeMX, 0, byte(10*i+10), 3, 'm', 'x', byte('1'+i), 0xc0, 12)
		at[i] = uint16(len(dst) - start - 6)
	}
	for i, host := range at {
		dst = record(dst, host, typeA, 192, 0, 2, byte(i))
		dst = record(dst, host, typeAAAA, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(i))
	}
	return dst, [3]byte{2, 0, 4}
}

// soa appends the SOA record of bench.example, for NODATA (RFC 2308 §2.2).
func soa(dst, question []byte) []byte {
	apex := uint16(len(question) - 4 - len(zone))
	data := []byte{2, 'n', 's', 0xc0, byte(apex), 4, 'h', 'o', 's', 't', 0xc0, byte(apex)}
	for _, v := range [5]uint32{1, ttl, ttl, ttl, ttl} {
		data = binary.BigEndian.AppendUint32(data, v)
	}
	return record(dst, apex, 6, data...)
}
