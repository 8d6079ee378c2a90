package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// answering returns a server that has an answer of one address at hand for every question. What finding it costs is the
// cache's to measure.
func answering(b *testing.B) *Server {
	b.Helper()
	s := &Server{Options: Options{Log: slog.New(slog.DiscardHandler), Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}}}
	s.Answer = func(dst []byte, q *wire.Query, _ time.Time) []byte {
		n := len(dst)
		dst = wire.AppendError(dst, q, 0)
		dst[n+7] = 1
		return append(dst, "\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x01"...)
	}
	s.begin()
	return s
}

// served returns such a server at work, and its address.
func served(b *testing.B) netip.AddrPort {
	b.Helper()
	s := answering(b)
	if err := s.Listen(); err != nil {
		b.Skip(err) // the port that TCP drew was taken for UDP
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Serve(ctx) }()
	b.Cleanup(func() { stop(); <-ended })
	return s.Options.Listen[0]
}

// perQuery reports what b's loop took for each of the queries that one turn of it answers.
func perQuery(b *testing.B, queries int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*queries), "ns/query")
}

// BenchmarkBatch is a full batch from the datagrams to the replies, without the system calls and the cache.
func BenchmarkBatch(b *testing.B) {
	s, u, slots, all := answering(b), &udpSocket{}, make([]slot, batchSize), new(parsed)
	var waiting sync.WaitGroup
	var datagrams [batchSize][]byte
	var room [batchSize][512]byte
	for i := range slots {
		datagrams[i] = query(uint16(i), hit)
		slots[i].client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(1024+i))
	}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		for i := range slots {
			slots[i].query = room[i][:copy(room[i][:], datagrams[i])]
		}
		s.answer(ctx, u, &waiting, all, slots)
	}
	perQuery(b, batchSize)
}

// BenchmarkUDP is the way over loopback and back, of one query at a time and of many that are out together. What the client
// takes is in it.
func BenchmarkUDP(b *testing.B) {
	for name, together := range map[string]int{"one": 1, "batch": batchSize} {
		b.Run(name, func(b *testing.B) {
			at := served(b)
			conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(at))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			msg, in := query(1, hit), make([]byte, 512)
			b.ReportAllocs()
			for b.Loop() {
				for range together {
					if _, err := conn.Write(msg); err != nil {
						b.Fatal(err)
					}
				}
				for range together {
					if _, err := conn.Read(in); err != nil {
						b.Fatal(err)
					}
				}
			}
			perQuery(b, together)
		})
	}
}

// BenchmarkTCP is a segment of queries and the replies to it, over one connection on loopback.
func BenchmarkTCP(b *testing.B) {
	for name, together := range map[string]int{"one": 1, "pipelined": batchSize} {
		b.Run(name, func(b *testing.B) {
			conn, err := net.Dial("tcp", served(b).String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			var out []byte
			for range together {
				out = append(out, framed(query(1, hit))...)
			}
			in := make([]byte, len(out)+16*together)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(out); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, in); err != nil {
					b.Fatal(err)
				}
			}
			perQuery(b, together)
		})
	}
}

// BenchmarkFraming is the same without the sockets: reading messages off a stream, answering, framing.
func BenchmarkFraming(b *testing.B) {
	s := answering(b)
	var all []byte
	for range batchSize {
		all = append(all, framed(query(1, hit))...)
	}
	b.ReportAllocs()
	for b.Loop() {
		conn := &recorded{in: all}
		(&tcpConn{Server: s, conn: conn, client: netip.AddrFrom4([4]byte{127, 0, 0, 1}), writing: make(chan struct{}, 1)}).serve(context.Background())
		if conn.written != len(all)+16*batchSize {
			b.Fatalf("%d octets of replies", conn.written)
		}
	}
	perQuery(b, batchSize)
}

// recorded is a connection whose client has said everything already, and hears what it is told at once.
type recorded struct {
	net.Conn
	in      []byte
	written int
}

func (r *recorded) Read(p []byte) (int, error) {
	n := copy(p, r.in)
	if r.in = r.in[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *recorded) Write(p []byte) (int, error)      { r.written += len(p); return len(p), nil }
func (r *recorded) Close() error                     { return nil }
func (r *recorded) SetReadDeadline(time.Time) error  { return nil }
func (r *recorded) SetWriteDeadline(time.Time) error { return nil }
