// Command bench measures how much CPU a query costs mxglue, beside an echo and the peers that are installed. "make bench"
// runs it; it prints Markdown.
//
// The way through:
//
//  1. main.go builds mxglue and the echo of servers/echo.c, and starts an upstream of the bench's own (upstream.go,
//     counter.go): it knows every name below bench.example and answers at once, but for slow names after 300 ms.
//  2. For each cell (cells.go), that is for each kind of load, every server is started afresh with its file in servers/
//     (servers.go, peers.go), as a caching forwarder of that upstream, and warmed with the cell's questions (questions.go).
//  3. Then they take turns (turns.go), round after round, so that what else the machine does meets all of them. In a turn
//     one server is asked over UDP (udp.go: as fast as it answers; open.go, tick.go: at a rate; backlog.go, sockets.go:
//     with what lies in its sockets already) or TCP (tcp.go), and its CPU clock is read before and after (process.go). Last,
//     where there are many names, mxglue is asked until it has collected its garbage some times (garbage.go).
//  4. table.go, scaling.go and summary.go make medians and ratios of the turns.
//
// For a profile, run one cell without peers for long, and attach to mxglue's process:
//
//	go run ./cmd/mxglue/bench -only '^miss$' -peers '^-$' -rounds 60
//	perf record -g -p "$(pgrep -f 'mxglue serve --config /tmp/mxglue-bench')" -- sleep 20
//
// The invariants:
//
//   - Servers run on CPU 0 and have one thread for queries; the load and the upstream run on the last CPU. In "2 CPUs"
//     servers have two threads on CPU 0 and 1, and in this and "1 CPU" there is no load while they answer.
//   - At rates the server's CPU is kept from stopping its clock tick whenever it sleeps (tick.go).
//   - CPU is what the kernel booked for the server's process and its children, system calls included. What delivering a
//     query costs is booked for the sender, by the way loopback works, and what delivering the reply costs for the server.
//   - Every answer is checked: it is for a question that is out, and it has the records it should have, or has none.
//   - What a cell says to be hits is hits: the upstream counts, and a server that asked it all the same is marked.
//   - A turn in which more than one query in fifty has no right answer does not count, and is told of.
//   - Everything has a deadline, and nothing outlives the run.
package main
