//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: it reads the CPU clocks of other processes, which only Linux has")
	os.Exit(1)
}
