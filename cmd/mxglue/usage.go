package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagWants says what would be right, by the type of a flag. Those that stand for a key of config.yaml are of none of these.
var flagWants = map[string]string{
	"bool":     "true or false, or the switch alone",
	"duration": "a duration with its unit, such as 500ms, 30s or 2m",
	"float64":  "a number, such as 5 or 2.5",
	"uint64":   "a whole number, 0 or more",
}

// wrongFlag makes what is found wrong with a flag an error of usage, in our words where pflag has those of Go's parsers.
func wrongFlag(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		if want, known := flagWants[invalid.GetFlag().Value.Type()]; known {
			err = fmt.Errorf("--%s %.40q: want %s", invalid.GetFlag().Name, invalid.GetValue(), want)
		}
	}
	return wrongUsage(cmd, err)
}

// wrongUsage is an error of usage.
func wrongUsage(cmd *cobra.Command, err error) error {
	return exitError{exitConfig, fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
}

// arguments makes what a command's arguments are found wrong for an error of usage.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		for _, word := range []string{"true", "false"} {
			if flag := anySwitch(cmd.Flags()); flag != "" && slices.Contains(args, word) {
				return exitError{exitConfig, fmt.Errorf("%q stands alone: a switch is set with an equals sign, as in --%s=%[1]s", word, flag)}
			}
		}
		if err == nil {
			return nil
		}
		return wrongUsage(cmd, err)
	}
}

// between takes so many arguments. What is wrong is told with the command's usage line.
func between(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("an argument is missing: want mxglue %s", cmd.Use)
		case len(args) > most:
			return fmt.Errorf("%.100q is one argument too many: want mxglue %s", args[most], cmd.Use)
		}
		return nil
	}
}

// anySwitch is the name of a switch that the command line has; or empty.
func anySwitch(flags *pflag.FlagSet) (name string) {
	flags.Visit(func(f *pflag.Flag) {
		if f.NoOptDefVal == "true" {
			name = f.Name
		}
	})
	return name
}
