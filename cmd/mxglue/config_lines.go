package main

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// keyLines tells on which line of a YAML text each key stands, by its path: "cache.glue". Of those that stand there several
// times, in a list of sections, it is the first. A key that is no section and stands there twice, once in its section and once
// by its path, is twice: of the two viper would take either one.
func keyLines(text []byte) (lines map[string]int, twice []string) {
	lines = map[string]int{}
	var document yaml.Node
	if yaml.Unmarshal(text, &document) == nil { // what is wrong with it, who reads the values has said
		twice = addLines(lines, "", &document)
	}
	return lines, twice
}

// addLines follows no alias, which may lead in a circle.
func addLines(lines map[string]int, path string, node *yaml.Node) (twice []string) {
	if node.Kind != yaml.MappingNode {
		for _, inner := range node.Content {
			again := addLines(lines, path, inner)
			if node.Kind == yaml.DocumentNode {
				twice = append(twice, again...)
			}
		}
		return twice
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		key := path + name.Value
		if lines[key] == 0 {
			lines[key] = name.Line
		} else if value.Kind != yaml.MappingNode {
			twice = append(twice, key)
		}
		twice = append(twice, addLines(lines, key+".", value)...)
	}
	return twice
}

// at is the file and, where it is known, the line of a key.
func (s *sources) at(key string) string {
	if line := s.lines[key]; line > 0 {
		return s.file + ":" + strconv.Itoa(line)
	}
	return s.file
}
