package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Where the configuration is looked for without --config; the first that exists is read.
var configFiles = []string{"config.yaml", "/etc/mxglue/config.yaml"}

const environmentPrefix = "MXGLUE_"

// loadConfig reads the configuration: a flag wins over the environment, that over the file, that over the default. The
// flags are those that serveFlags, checkFlags or statusFlags has registered. The error is a ConfigError.
func loadConfig(flags *pflag.FlagSet) (Config, error) {
	config, _, err := readConfig(flags)
	return config, err
}

// readConfig is loadConfig that also tells where the values come from.
func readConfig(flags *pflag.FlagSet) (Config, *sources, error) {
	var config Config
	settings := config.settings()
	sources := &sources{viper: viper.New(), flags: flags}

	problems := sources.readFile()
	problems = append(problems, sources.unknownKeys(settings)...)
	problems = append(problems, unknownEnvironment(settings)...)
	problems = append(problems, sources.apply(settings)...)
	config.File = sources.file
	if problems == nil { // of settings that are each right
		problems = config.conflicts(sources)
	}
	if problems != nil {
		return Config{}, sources, problems
	}
	return config, sources, nil
}

// The sources of a configuration, by rank.
type sources struct {
	viper *viper.Viper
	flags *pflag.FlagSet
	file  string // "" if there is none
	lines map[string]int
}

// readFile reads the file of --config, which must exist, or else the first of configFiles that does.
func (s *sources) readFile() ConfigError {
	candidates := configFiles
	asked, _ := s.flags.GetString("config")
	if asked != "" {
		candidates = []string{asked}
	}
	for _, file := range candidates {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) && asked == "" {
			continue
		}
		s.file = file
		if err != nil {
			return ConfigError{{Source: file, Text: readError(err)}}
		}
		return s.readYAML(text)
	}
	return nil
}

// readYAML gives the text of the file to viper. It decodes with viper's own decoder, but before viper folds the keys.
func (s *sources) readYAML(text []byte) ConfigError {
	keys := map[string]any{}
	decoder, err := viper.NewCodecRegistry().Decoder("yaml")
	if err == nil {
		err = decoder.Decode(text, keys)
	}
	if err != nil {
		return ConfigError{{Source: s.file, Text: readError(err)}}
	}
	var twice []string
	s.lines, twice = keyLines(text)
	problems := s.capitals("", keys)
	for _, key := range twice {
		problems = append(problems, Problem{s.at(key), oneLine(key), "stands in the file once more; delete one of the two"})
	}
	slices.SortFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Key, b.Key) })
	if err := s.viper.MergeConfigMap(keys); err != nil {
		return ConfigError{{Source: s.file, Text: readError(err)}}
	}
	return problems
}

// readError says on one line why a file could not be read.
func readError(err error) string {
	if pathError := new(fs.PathError); errors.As(err, &pathError) {
		return "cannot be read: " + pathError.Err.Error()
	}
	text := err.Error()
	if strings.Contains(text, "into map[string]interface") {
		return "has no sections: want lines as in the config.yaml that comes with mxglue, such as \"server:\" with its keys below"
	}
	for _, prefix := range []string{"yaml: ", "unmarshal errors:"} {
		text = strings.TrimPrefix(text, prefix)
	}
	return "is not YAML: " + strings.Join(strings.Fields(text), " ")
}

// variable is the environment variable of a setting.
func (k setting) variable() string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(k.key, ".", "_"))
}

// apply binds the sources to the settings and sets every value.
func (s *sources) apply(settings []setting) (problems ConfigError) {
	s.viper.AllowEmptyEnv(true) // MXGLUE_STATUS_LISTEN= turns the status side off
	for _, k := range settings {
		// Neither can fail: each has a key, and the flag is there.
		_ = s.viper.BindEnv(k.key, k.variable())
		if flag := s.flag(k.key); flag != nil {
			_ = s.viper.BindPFlag(k.key, flag)
		}
		s.viper.SetDefault(k.key, k.def)
	}
	for _, k := range settings {
		raw := s.viper.Get(k.key)
		if raw == nil {
			continue // its section is no section; unknownKeys has said so
		}
		for _, text := range k.set(raw) {
			problems = append(problems, Problem{s.of(k.key), k.key, text})
		}
	}
	return problems
}

// flag is the flag that stands for a key on this command line, or nil.
func (s *sources) flag(key string) *pflag.Flag {
	for _, f := range configFlags {
		if f.key == key {
			return s.flags.Lookup(f.name)
		}
	}
	return nil
}

// of says where the value of a key came from.
func (s *sources) of(key string) string {
	if flag := s.flag(key); flag != nil && flag.Changed {
		return "flag --" + flag.Name
	}
	variable := setting{key: key}.variable()
	if _, ok := os.LookupEnv(variable); ok {
		return "environment " + variable
	}
	if s.viper.InConfig(key) {
		return s.at(key)
	}
	return "default"
}
