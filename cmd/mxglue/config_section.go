package main

import (
	"maps"
	"slices"
)

// setKeys sets the settings of a section that stands inside a value, as a route does in resolver.routes, from the map that
// it is in config.yaml. A setting without a default must be there. It returns what is wrong; what names the section in
// `"x" is not ...`.
func setKeys(raw any, settings []setting, what string) (wrong []string) {
	keys, ok := raw.(map[string]any)
	if !ok {
		return []string{show(raw) + " is not " + what}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.ContainsFunc(settings, func(k setting) bool { return k.key == key }) {
			wrong = append(wrong, oneLine(key)+": no such key"+suggest(key, settings, func(k setting) string { return k.key }))
		}
	}
	for _, k := range settings {
		value, said := keys[k.key]
		if !said {
			value = k.def
		}
		if value == nil {
			wrong = append(wrong, k.key+": has no value; write one")
			continue
		}
		for _, text := range k.set(value) {
			wrong = append(wrong, k.key+": "+text)
		}
	}
	return wrong
}
