package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// configCommand is "mxglue config".
func configCommand() *cobra.Command {
	var check, print bool
	cmd := &cobra.Command{
		Use:   "config --check|--print [FILE]",
		Short: "Check the configuration, or print what holds and where it comes from",
		Long: "Check the configuration as \"mxglue serve\" reads it, from FILE or where that would look, from the environment\n" +
			"and from flags; exit code 1 says that something is wrong with it. Or print the value of every key, with\n" +
			"where it comes from; what is printed can be read again as a configuration, but for secrets.",
		Example: "  mxglue config --check /etc/mxglue/config.yaml\n  mxglue config --print --upstream 192.0.2.53",
		Args:    arguments(between(0, 1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			if check == print {
				return exitError{exitConfig, errors.New("say either --check or --print (see mxglue config --help)")}
			}
			if len(files) > 0 {
				if err := cmd.Flags().Set("config", files[0]); err != nil {
					return err
				}
			}
			run := checkConfig
			if print {
				run = printConfig
			}
			if err := run(cmd.OutOrStdout(), cmd.Flags()); err != nil {
				return exitError{exitFailed, err}
			}
			return nil
		},
	}
	serveFlags(cmd)
	cmd.Flags().BoolVar(&check, "check", false, "tell what is wrong with it")
	cmd.Flags().BoolVar(&print, "print", false, "print every value, with where it comes from")
	return cmd
}

// checkConfig looks at everything that "mxglue serve" looks at before it opens sockets and files of its own.
func checkConfig(w io.Writer, flags *pflag.FlagSet) error {
	config, err := loadConfig(flags)
	if err != nil {
		return err
	}
	if err := config.findUpstreams(config.Server.Listen); err != nil {
		return err
	}
	if _, err := newWiring(config, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s: nothing is wrong\n", config.source())
	return err
}

// source is where most of the configuration comes from.
func (c *Config) source() string { return cmp.Or(c.File, "built-in defaults") }

// printConfig prints the configuration as config.yaml would have it.
func printConfig(w io.Writer, flags *pflag.FlagSet) error {
	config, sources, err := readConfig(flags)
	if err != nil {
		return err
	}
	system := "" // what stands in for resolver.upstreams
	if err := config.findUpstreams(config.Server.Listen); err == nil && config.Resolver.FromSystem {
		system = "; " + resolvConfFile + " names " + strings.Join(config.Resolver.Upstreams, ", ")
	}
	var text strings.Builder
	text.WriteString("# what mxglue goes by, and where it comes from: a file and the line, the environment, a flag, or the default\n")
	section := ""
	for _, k := range config.settings() {
		before, key, _ := strings.Cut(k.key, ".")
		if before != section {
			section = before
			text.WriteString("\n" + section + ":\n")
		}
		from := sources.of(k.key)
		if k.key == "resolver.upstreams" {
			from += system
		}
		if k.hidden && sources.viper.GetString(k.key) != "" {
			fmt.Fprintf(&text, "  # %s: not shown # %s\n", key, from)
			continue
		}
		lines, err := keyYAML(key, k.plain(sources.viper.Get(k.key)))
		if err != nil {
			return fmt.Errorf("%s: %w", k.key, err)
		}
		fmt.Fprintf(&text, "  %s # %s\n", lines[0], from)
		for _, line := range lines[1:] {
			text.WriteString("  " + line + "\n")
		}
	}
	_, err = io.WriteString(w, text.String())
	return err
}

// keyYAML renders a key and its value, whose first line can have a comment behind it.
func keyYAML(key string, value any) ([]string, error) {
	var text strings.Builder
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	err := encoder.Encode(map[string]any{key: value})
	return strings.Split(strings.TrimRight(text.String(), "\n"), "\n"), err
}

// plain turns what a flag or the environment says, which is text, into what config.yaml would say.
func (k setting) plain(raw any) any {
	text, isText := raw.(string)
	switch k.def.(type) {
	case []string:
		return items(raw)
	case bool:
		if b, err := strconv.ParseBool(text); isText && err == nil {
			return b
		}
	case int:
		if n, err := strconv.Atoi(text); isText && err == nil {
			return n
		}
	}
	return raw
}
