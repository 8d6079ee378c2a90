package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/smtpprobe/fakemx"
)

// fakeMX is what the flags of "mxglue fakemx" say.
type fakeMX struct {
	listen, name, cert, key string
	script                  []string
	asJSON                  bool
}

// fakemxCommand is "mxglue fakemx": a misbehaving exchanger for tests.
func fakemxCommand() *cobra.Command {
	var f fakeMX
	cmd := &cobra.Command{
		Use:   "fakemx",
		Short: "Be an MX host that misbehaves, for tests of whatever talks to it",
		Long: "Listen as an MX host that misbehaves as --script says, log what each client did, and tell at the end (Ctrl-C)\n" +
			"how many talked before the greeting, left without QUIT, or came more than once at a time. No mail is ever taken.\n\n" +
			"Behaviours, several of which combine; NAME=TIME where a time is shown:\n\n" + behaviours(),
		Example: "  mxglue fakemx --script teaser=3s,starttls-inject\n  mxglue check --allow-private '[127.0.0.1]:2525'",
		Args:    arguments(between(0, 0)),
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := f.server()
			if err != nil {
				return exitError{exitConfig, err}
			}
			return f.serve(cmd, server)
		},
	}
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:2525", "`ADDR:PORT` to listen on")
	cmd.Flags().StringSliceVar(&f.script, "script", nil, "`BEHAVIOURS`, with commas between them; none: a well-behaved MX host")
	cmd.Flags().StringVar(&f.name, "name", "fakemx.example", "its host `NAME`, in the greeting and in the certificate it makes")
	cmd.Flags().StringVar(&f.cert, "cert", "", "certificate to show, with its chain, a PEM `FILE`; without, one signed by itself")
	cmd.Flags().StringVar(&f.key, "key", "", "key of --cert, a PEM `FILE`")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print the counts as JSON")
	return cmd
}

// behaviours lists what --script understands.
func behaviours() string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, one := range fakemx.Behaviours() {
		name := one.Name
		if one.Takes > 0 {
			name += "=" + one.Takes.String()
		}
		fmt.Fprintf(table, "  %s\t%s\n", name, one.Does)
	}
	table.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// server is the exchanger that the flags describe. An error names the flag.
func (f fakeMX) server() (*fakemx.Server, error) {
	script, err := fakemx.Parse(f.script...)
	if err != nil {
		return nil, fmt.Errorf("--script: %w", err)
	}
	if strings.ContainsFunc(f.name, func(r rune) bool { return r <= ' ' || r > '~' }) || f.name == "" || len(f.name) > 255 {
		return nil, fmt.Errorf("--name: %.100q is no host name, such as mx.example.com", f.name)
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		return nil, fmt.Errorf("--listen %.100q: want ADDR:PORT, such as 127.0.0.1:2525", f.listen)
	}
	server := &fakemx.Server{Name: f.name, Script: script}
	if (f.cert == "") != (f.key == "") {
		return nil, errors.New("--cert and --key belong together: give both or none")
	}
	if f.cert != "" {
		certificate, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("--cert %s, --key %s: %w", f.cert, f.key, err)
		}
		server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	return server, nil
}

// serve listens until the command's context ends, and prints what was counted.
func (f fakeMX) serve(cmd *cobra.Command, server *fakemx.Server) error {
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", f.listen, err)
	}
	if at, err := netip.ParseAddrPort(listener.Addr().String()); err != nil || !at.Addr().IsLoopback() {
		log.Warn("listening beyond loopback: whoever can reach this address can talk to it", "listen", listener.Addr())
	}
	server.Done = func(v fakemx.Visit) {
		log.Info("visit", "client", v.Client, "said", strings.Join(v.Said, " / "), "early", v.Early, "tls", v.TLS, "tls_failed", v.TLSFailed, "quit", v.Quit, "missing_quit", v.MissingQuit)
	}
	log.Info("fakemx listens, Ctrl-C ends it", "listen", listener.Addr(), "name", f.name, "script", strings.Join(f.script, ","))
	err = server.Serve(cmd.Context(), listener)
	writeCounts(cmd.OutOrStdout(), server.Counts(), f.asJSON)
	return err
}

func writeCounts(w io.Writer, counts fakemx.Counts, asJSON bool) {
	if asJSON {
		json.NewEncoder(w).Encode(counts) // a closed pipe has nobody to tell
		return
	}
	fmt.Fprintln(w, counts)
}
