package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// What is wrong with a command line is exit code 2, and 3 for check, where 2 is a verdict.
func TestUsage(t *testing.T) {
	for _, c := range []struct {
		code int
		args []string
	}{
		{exitConfig, []string{"serve", "extra"}},
		{exitConfig, []string{"serve", "--bundle", "false"}},
		{exitConfig, []string{"serve", "--nonsense"}},
		{exitConfig, []string{"serve", "--glue", "maybe"}},
		{exitConfig, []string{"stats", "extra"}},
		{exitConfig, []string{"flush"}},
		{exitConfig, []string{"dump", "a.example", "b.example"}},
		{exitConfig, []string{"plan", "--bundle", "false", "[192.0.2.1]"}},
		{exitConfig, []string{"nonsense"}},
		{exitUnknown, []string{"check"}},
		{exitUnknown, []string{"check", "--allow-private", "false", "--depth", "dns", "[192.0.2.1]"}},
		{exitUnknown, []string{"check", "--nonsense", "example.com"}},
		{exitUnknown, []string{"check", "--port", "0", "example.com"}},
		{exitOK, []string{"--version"}},
	} {
		if code := run(t.Context(), c.args); code != c.code {
			t.Errorf("mxglue %q: exit code %d, want %d", c.args, code, c.code)
		}
	}
}

// Of a command that there is not is told where to look, and which one may have been meant.
func TestUnknownCommand(t *testing.T) {
	for name, want := range map[string]string{
		"chek":     "Did you mean this?\n\tcheck (see mxglue --help)",
		"nonsense": `unknown command "nonsense" for "mxglue" (see mxglue --help)`,
	} {
		if _, err := execute(t.Context(), []string{name}); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("mxglue %s: %v, want %s", name, err, want)
		}
	}
}

// Behind a flag stands what is wanted there, and not one of its values as if there were no other.
func TestHelpOfWords(t *testing.T) {
	for _, cmd := range rootCommand(nil).Commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if name, _ := pflag.UnquoteUsage(f); f.DefValue != "" && name == f.DefValue {
				t.Errorf("mxglue %s --help has \"--%s %s\"", cmd.Name(), f.Name, name)
			}
		})
	}
}

// A switch of the configuration looks in --help like any other, which takes no word after it.
func TestHelpOfSwitches(t *testing.T) {
	for _, line := range strings.Split(checkCommand().UsageString(), "\n") {
		if strings.Contains(line, "--allow-private") && !strings.Contains(line, "--allow-private   ") || strings.Contains(line, "--bundle") && !strings.HasSuffix(line, "(default true)") {
			t.Errorf("--help has %q", line)
		}
	}
}
