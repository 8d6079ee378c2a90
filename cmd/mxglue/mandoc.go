//go:build man

package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// packaging has what only the build of the package needs: "mxglue man". Its libraries, a Markdown renderer among them,
// would cost every daemon a MiB.
func packaging() []*cobra.Command {
	return []*cobra.Command{{
		Use:    "man DIRECTORY",
		Short:  "Write the man pages of all commands to a directory",
		Hidden: true,
		Args:   arguments(between(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeManPages(cmd.Root(), args[0])
		},
	}}
}

// writeManPages writes the man pages of a command and of those below it, mxglue-serve.1 and so on, into a directory that
// it makes. Their date is that of SOURCE_DATE_EPOCH, seconds, or else today.
func writeManPages(root *cobra.Command, directory string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true // it would say when, and by what
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Hidden = true // cobra's own; the package installs what it writes
	}
	return doc.GenManTree(root, &doc.GenManHeader{
		Section: "1", Source: "mxglue " + version(), Manual: "mxglue",
	}, directory)
}
