package main

import (
	"strings"
)

// A ConfigError is everything that is wrong with a configuration, one line each. The command ends with exit code 2.
type ConfigError []Problem

// A Problem is one thing that is wrong with a configuration.
type Problem struct {
	Source string // a file and the line in it, "environment NAME", "flag --name" or "default"
	Key    string // a key of config.yaml; "" if the trouble is the source itself
	Text   string // the value, what is wrong with it, and what would be right
}

func (p Problem) String() string {
	if p.Key == "" {
		return p.Source + ": " + p.Text
	}
	return p.Source + ": " + p.Key + ": " + p.Text
}

func (e ConfigError) Error() string {
	lines := make([]string, len(e))
	for i, problem := range e {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}
