package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// manBinary builds the mxglue with which packaging/build writes the man pages.
func manBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mxglue")
	if out, err := exec.Command("go", "build", "-tags", "man", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build -tags man: %v\n%s", err, out)
	}
	return binary
}

// Every command that a user sees has its page, and nothing in the pages tells when or where they were made.
func TestManPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	directory := filepath.Join(t.TempDir(), "man")
	if out, err := exec.Command(manBinary(t), "man", directory).CombinedOutput(); err != nil {
		t.Fatalf("mxglue man: %v\n%s", err, out)
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
	binary := manBinary(t)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"man", occupied}, exitFailed, occupied},
		{[]string{"man"}, exitConfig, "an argument is missing"},
	} {
		cmd := exec.Command(binary, c.args...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("mxglue %v: exit code %d, want %d, and %q in %q", c.args, code, c.code, c.says, out)
		}
	}
}

// Who runs the daemon does not pay for what the package is built with.
func TestNoManCommandIsInstalled(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if strings.Contains(string(out), "github.com/spf13/cobra/doc\n") {
		t.Error("the binary has cobra's writer of man pages, with all its libraries")
	}
}
