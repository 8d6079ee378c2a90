//go:build linux

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// The peers that something is special about.
const unbound, bind = "Unbound", "BIND"

// peers returns those that we know, with their versions if they are installed. scratch is for copies of Unbound and BIND:
// Debian's AppArmor profiles go by their paths, and forbid configurations elsewhere than in /etc.
func peers(scratch string) ([]*server, error) {
	all := []*server{
		{name: unbound, program: "unbound", conf: "unbound.conf", version: "-V", spreads: true,
			args: func(set setting) []string { return []string{"-d", "-p", "-c", set.Conf} }},
		{name: "dnsmasq", program: "dnsmasq", conf: "dnsmasq.conf", version: "--version",
			args: func(set setting) []string { return []string{"-C", set.Conf} }},
		{name: "PowerDNS Recursor", program: "pdns_recursor", conf: "recursor.conf", version: "--version", spreads: true,
			args: func(set setting) []string { return []string{"--config-dir=" + set.Dir} }},
		{name: "dnsdist", program: "dnsdist", conf: "dnsdist.conf", version: "--version", spreads: true,
			args: func(set setting) []string { return []string{"--supervised", "--disable-syslog", "-C", set.Conf} }},
		{name: bind, program: "named", conf: "named.conf", version: "-v", spreads: true,
			args: func(set setting) []string { return []string{"-f", "-n", strconv.Itoa(set.Threads), "-c", set.Conf} }},
	}
	for _, s := range all {
		s.kind = peer
		path, err := exec.LookPath(s.program)
		if err != nil {
			path, err = exec.LookPath("/usr/sbin/" + s.program) // which is not in everybody's PATH
		}
		if err != nil {
			s.version = ""
			continue
		}
		s.version = versionOf(path, s.version)
		if s.name == unbound || s.name == bind {
			binary, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			s.program = filepath.Join(scratch, s.program)
			if err := os.WriteFile(s.program, binary, 0o755); err != nil {
				return nil, err
			}
		} else {
			s.program = path
		}
	}
	return all, nil
}

// versionOf returns the first version number that a program prints of itself.
func versionOf(program string, arg string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, program, arg).CombinedOutput() // one that prints no version gets a question mark
	if v := regexp.MustCompile(`\d+\.\d+(\.\d+)?`).Find(out); v != nil {
		return string(v)
	}
	return "?"
}
