package main

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
)

// capitals names the keys that have some. viper takes a key in any case: of cache and Cache it would keep either one.
func (s *sources) capitals(section string, keys map[string]any) (problems ConfigError) {
	for key, value := range keys {
		if key != strings.ToLower(key) {
			problems = append(problems, Problem{s.at(section + key), oneLine(section + key), "keys are written in lower case"})
		}
		items, _ := value.([]any) // of a list, each may be a section of keys
		for _, inner := range append(items, value) {
			if inner, ok := inner.(map[string]any); ok {
				problems = append(problems, s.capitals(section+key+".", inner)...)
			}
		}
	}
	return problems
}

// oneLine quotes a key that could not be printed as it is.
func oneLine(key string) string {
	if quoted := strconv.Quote(key); quoted != `"`+key+`"` {
		return quoted
	}
	return key
}

// unknownKeys names the keys of the file that no setting has, and those without a value. It must run before the other
// sources are bound, as viper then lists their keys too.
func (s *sources) unknownKeys(settings []setting) (problems ConfigError) {
	keys := s.viper.AllKeys()
	slices.Sort(keys)
	for _, key := range keys {
		value := s.viper.Get(key)
		known := slices.ContainsFunc(settings, func(k setting) bool { return k.key == key })
		inside := slices.ContainsFunc(settings, func(k setting) bool { return strings.HasPrefix(key, k.key+".") })
		section := slices.ContainsFunc(settings, func(k setting) bool { return strings.HasPrefix(k.key, key+".") })
		text := ""
		switch {
		case known && value == nil:
			text = `has no value; write one, or delete the line for the default`
		case known, inside: // apply says what is wrong with it
		case section && value == nil: // every key of it is commented out
		case section:
			text = show(value) + " is not a section of keys"
		default:
			text = "no such key" + suggest(key, settings, func(k setting) string { return k.key })
		}
		if text != "" {
			problems = append(problems, Problem{s.at(key), oneLine(key), text})
		}
	}
	return problems
}

// unknownEnvironment names the MXGLUE_ variables that no setting has.
func unknownEnvironment(settings []setting) (problems ConfigError) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, environmentPrefix) || isKubernetes(name) ||
			slices.ContainsFunc(settings, func(k setting) bool { return k.variable() == name }) {
			continue
		}
		text := "no such variable" + suggest(name, settings, setting.variable)
		problems = append(problems, Problem{Source: "environment " + oneLine(name), Text: text})
	}
	slices.SortFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Source, b.Source) })
	return problems
}

// isKubernetes knows the variables that Kubernetes gives every container of a namespace that has a service named mxglue.
func isKubernetes(name string) bool {
	name = strings.TrimPrefix(name, environmentPrefix)
	return strings.HasPrefix(name, "SERVICE_") || name == "PORT" || strings.HasPrefix(name, "PORT_")
}

// suggest names the known key, written as name writes it, that was probably meant: the nearest by spelling, or else
// one of the same last word in another section. It ends a sentence.
func suggest(unknown string, settings []setting, name func(setting) string) string {
	nearest, least := "", max(2, len(unknown)/4)+1
	for _, k := range settings {
		if d := distance(unknown, name(k)); d < least {
			nearest, least = name(k), d
		}
	}
	_, last, _ := strings.Cut(unknown, ".")
	if last == "" {
		last = unknown
	}
	if i := slices.IndexFunc(settings, func(k setting) bool { return strings.HasSuffix(k.key, "."+last) }); nearest == "" && i >= 0 {
		nearest = name(settings[i])
	}
	if nearest == "" {
		return "; config.yaml of the distribution lists them all"
	}
	return "; did you mean " + nearest + "?"
}

// distance is the number of letters to add, drop or change to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
