package upstream

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mxglue/mxglue/cache/wire"
)

// sockets counts the sockets of the quick way that this process has open: what is UDP and has a peer, or no port. Others,
// of tests before this one, may close at any moment.
func sockets(t *testing.T) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		fd, _ := strconv.Atoi(file.Name())
		if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_DGRAM {
			continue
		}
		if _, err := unix.Getpeername(fd); err == nil || port(fd) == 0 {
			n++
		}
	}
	return n
}

// port asks the kernel which port a socket has, 0 for none.
func port(fd int) int {
	at, _ := unix.Getsockname(fd)
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		return at.Port
	case *unix.SockaddrInet6:
		return at.Port
	}
	return -1
}

// Nobody can foretell from which port the next question goes out, or which ID it has, although the socket is the same.
func TestAskUnforeseeable(t *testing.T) {
	const rounds = 300
	queries := make(chan query, rounds)
	u := open(t, "udp", play(t, "127.0.0.1", func(q query) { queries <- q; answerRight(q) }, nil))
	before := 0
	var drawn [2][]int // IDs, ports
	for i := range rounds {
		if _, plain, err := askQuick(t, u); err != nil || !plain {
			t.Fatalf("plain %v, error %v", plain, err)
		}
		if i == 0 {
			before = sockets(t)
		}
		q := <-queries
		drawn[0], drawn[1] = append(drawn[0], int(q.Id)), append(drawn[1], int(q.from.Port()))
	}
	if now := sockets(t); now != before || len(u.resting.all) != 1 {
		t.Errorf("%d sockets are resting; %d are open, %d after the first question", len(u.resting.all), now, before)
	}
	for i, what := range []string{"ID", "port"} {
		steps := 0
		for j := range rounds - 1 {
			if d := drawn[i][j+1] - drawn[i][j]; -8 < d && d < 8 {
				steps++
			}
		}
		slices.Sort(drawn[i])
		if different := len(slices.Compact(drawn[i])); different < rounds-15 || steps > 8 {
			t.Errorf("%s: %d of %d are different, %d follow the one before", what, different, rounds, steps)
		}
	}
}

// Between two questions a socket has no port, and what comes to the port of an earlier question is seen by nobody: not a
// second copy of its answer, and not a lie that knows all of the next question but its port.
func TestAskForgetsPorts(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var old netip.AddrPort
	go playUDP(t, conn, func(q query) {
		if old.IsValid() && old != q.from {
			conn.WriteToUDPAddrPort(packed(q.reply(wrong)), old)
		}
		for range 3 {
			answerRight(q)
		}
		old = q.from
	})
	u := open(t, "udp", conn.LocalAddr().(*net.UDPAddr).AddrPort())
	for range 50 {
		r, plain, err := askQuick(t, u)
		if checkAnswer(t, r, err, true, right); !plain || len(u.resting.all) != 1 {
			t.Fatalf("plain %v, %d sockets are resting", plain, len(u.resting.all))
		}
		u.resting.all[0].socket.raw.Control(func(fd uintptr) {
			if n := port(int(fd)); n != 0 {
				t.Errorf("the resting socket has port %d", n)
			}
		})
	}
	if st := u.Stats(); st.Mismatched != 0 || st.Queries != 50 {
		t.Errorf("%+v", st)
	}
}

// What an upstream sends from another port or address is not let in while a question is out.
func TestAskWrongSource(t *testing.T) {
	u := open(t, "udp", play(t, "127.0.0.1", func(q query) {
		for _, from := range []string{"127.0.0.1:0", "127.0.0.2:0"} {
			liar, err := net.ListenPacket("udp4", from)
			if err != nil {
				t.Error(err)
				return
			}
			defer liar.Close()
			for range 2 * maxMismatched {
				liar.WriteTo(packed(q.reply(wrong)), net.UDPAddrFromAddrPort(q.from))
			}
		}
		answerRight(q)
	}, nil))
	for range 10 {
		r, plain, err := askQuick(t, u)
		if checkAnswer(t, r, err, true, right); !plain {
			t.Error("not plain")
		}
	}
}

// A port where nobody listens is found out at once, by a fresh socket and by one that was used before.
func TestAskRefused(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		if a := open(t, "udp", play(t, host, nil, nil)).Ask([]byte(mxOfExample), false, time.Now(), patience); a != nil {
			t.Errorf("%s: asked, and got %x", host, a.got)
		}
	}
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); playUDP(t, server, answerRight) }()
	u := open(t, "udp", server.LocalAddr().(*net.UDPAddr).AddrPort())
	r, _, err := askQuick(t, u)
	checkAnswer(t, r, err, true, right)
	server.Close()
	<-done
	if a := u.Ask([]byte(mxOfExample), false, time.Now(), patience); a != nil {
		t.Errorf("asked, and got %x", a.got)
	}
	if _, err := u.Exchange(soon(t), question, false); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
}

// A hundred questions at a time need a hundred sockets; some are kept, and Close closes those, and what comes back later.
func TestAskCrowd(t *testing.T) {
	const crowd = 100
	var mu sync.Mutex
	var waiting []query
	u := open(t, "udp", play(t, "127.0.0.1", func(q query) {
		mu.Lock()
		defer mu.Unlock()
		if waiting = append(waiting, q); len(waiting) == crowd {
			for _, q := range waiting {
				answerRight(q)
			}
			waiting = nil
		}
	}, nil))
	u.silence = patience
	before := sockets(t)
	for range 2 {
		var all sync.WaitGroup
		for range crowd {
			all.Go(func() {
				if r, plain, err := askQuick(t, u); err != nil || !plain || len(r.Msg.Answer) != 1 {
					t.Errorf("%v, plain %v, error %v", r, plain, err)
				}
			})
		}
		all.Wait()
		if kept := len(u.resting.all); kept != maxResting || sockets(t) != before+kept {
			t.Errorf("%d are kept, %d are open for them", kept, sockets(t)-before)
		}
	}
	out := u.rested() // as if its question were out
	u.Close()
	if n := sockets(t); n != before+1 {
		t.Errorf("closed, and %d are open", n-before)
	}
	out.got = make([]byte, wire.HeaderLen)
	if out.Done(time.Now()); sockets(t) != before {
		t.Errorf("the last question has ended, and %d are open", sockets(t)-before)
	}
}
