package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every command that a user sees has its page, and nothing in the pages tells when or where they were made.
func TestManPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	directory := filepath.Join(t.TempDir(), "man")
	if code := run(t.Context(), []string{"man", directory}); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	files, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
	}
	wanted := []string{"mxglue.1", "mxglue-check.1"}
	for _, command := range rootCommand(nil).Commands() {
		if !command.Hidden {
			wanted = append(wanted, "mxglue-"+command.Name()+".1")
		}
	}
	for _, want := range wanted {
		if !slices.Contains(names, want) {
			t.Errorf("there is no %s in %v", want, names)
		}
	}
	if slices.ContainsFunc(names, func(name string) bool {
		return strings.Contains(name, "completion") || strings.Contains(name, "man.1")
	}) {
		t.Errorf("%v has pages of commands that are not for users", names)
	}
	page, err := os.ReadFile(filepath.Join(directory, "mxglue-check.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`.TH "MXGLUE-CHECK" "1" "Jan 1970"`, "220", "--json", "Exit code: 0"} {
		if !strings.Contains(strings.ReplaceAll(string(page), `\-`, "-"), want) {
			t.Errorf("mxglue-check.1 has no %s:\n%s", want, page)
		}
	}
}

func TestManPagesErrors(t *testing.T) {
	occupied := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(occupied, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), []string{"man", occupied}); code != exitFailed {
		t.Errorf("into a file: exit code %d, want %d", code, exitFailed)
	}
	if code := run(t.Context(), []string{"man"}); code != exitConfig {
		t.Errorf("without a directory: exit code %d, want %d", code, exitConfig)
	}
}
