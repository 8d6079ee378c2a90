//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// floor compiles servers/echo.c. Without a C compiler a plain loop in Go has to do, and says so in its name.
func floor(ctx context.Context, scratch string) (*server, error) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		self, err := os.Executable()
		return &server{name: "echo in Go (no cc here)", program: self, version: "-",
			args: func(set setting) []string { return []string{"echo", strconv.Itoa(set.Port)} }}, err
	}
	source, err := files.ReadFile("servers/echo.c")
	if err != nil {
		return nil, err
	}
	program := filepath.Join(scratch, "echo")
	if err := os.WriteFile(program+".c", source, 0o644); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, cc, "-O2", "-o", program, program+".c").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile servers/echo.c: %w\n%s", err, out)
	}
	return &server{name: "echo in C", program: program, version: "-", spreads: true,
		args: func(set setting) []string { return []string{strconv.Itoa(set.Port), strconv.Itoa(set.Threads)} }}, nil
}

// serveEcho is the echo in Go.
func serveEcho(port string) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("port %q: want a number", port)
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n})
	if err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		conn.WriteToUDPAddrPort(buf[:n], from)
	}
}
