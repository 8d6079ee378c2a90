//go:build !man

package main

import "github.com/spf13/cobra"

// packaging has nothing in the binary that is installed; mandoc.go has it for the one that builds the package.
func packaging() []*cobra.Command { return nil }
