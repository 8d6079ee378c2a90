package main

import (
	"fmt"
	"go/scanner"
	gotoken "go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// docsEnv set: what is generated is written anew, not compared.
const docsEnv = "MXGLUE_WRITE_DOCS"

// documents are what people read, by their path from here.
func documents(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) < 4 {
		t.Fatalf("documents are %q (%v), want 4 at least", files, err)
	}
	texts := map[string]string{}
	for _, file := range append(files, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	return texts
}

// A fence is a block of code: its language, and what is in it.
var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// commandLines are those of the sh and console blocks, without what a shell does to their output.
func commandLines(text string) (lines []string) {
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[2]) {
			command, typed := strings.CutPrefix(line, "$ ")
			if block[1] == "sh" || block[1] == "console" && typed {
				command, _, _ = strings.Cut(command, " #")
				lines = append(lines, strings.TrimSpace(strings.FieldsFunc(command, func(r rune) bool { return r == '|' || r == '>' })[0]))
			}
		}
	}
	return lines
}

// namedCommands are commands in running text, of which some are named without what they are for.
func namedCommands(text string) (lines []string) {
	for _, span := range regexp.MustCompile("`((?:mxglue|make) [^`]+)`").FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		lines = append(lines, span[1])
	}
	return lines
}

// shellWords are a command line's, as a shell sees them; of its quotes only '.
func shellWords(line string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		all = append(all, m[1]+m[2])
	}
	return all
}

// Every command line in the documents is one that mxglue or make understands, or a known one of somebody else's.
func TestDocsCommandLines(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	others := regexp.MustCompile(`^(dig|systemctl|sudo dpkg -i|cp|postfix reload$|go install github.com/mxglue/mxglue/cmd/mxglue@latest$|go test ./...$)`)
	texts := documents(t)
	t.Chdir(t.TempDir()) // no config.yaml
	ours := 0
	for file, text := range texts {
		lines := commandLines(text)
		for i, line := range append(lines, namedCommands(text)...) {
			line = strings.Replace(line, "go run ./cmd/mxglue", "mxglue", 1)
			switch w := shellWords(line); {
			case w[0] == "mxglue":
				ours++
				if err := understood(w[1:], i < len(lines)); err != nil {
					t.Errorf("%s: %s: %v", file, line, err)
				}
			case w[0] == "make":
				for _, target := range w[1:] {
					if !strings.Contains(string(makefile), "\n"+target+":") {
						t.Errorf("%s: %s: the Makefile has no %s", file, line, target)
					}
				}
			case !others.MatchString(line):
				t.Errorf("%s: %s: nobody tests this", file, line)
			}
		}
	}
	if ours < 40 {
		t.Errorf("%d command lines of mxglue in the documents, want 40 at least", ours)
	}
}

// understood goes as far with a command line as the command does before it acts. One that is not whole may want arguments.
func understood(args []string, whole bool) error {
	root := rootCommand(args)
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if cmd == root {
		return fmt.Errorf("no command")
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if arguments := cmd.Flags().Args(); whole || len(arguments) > 0 {
		if err := cmd.ValidateArgs(arguments); err != nil {
			return err
		}
	}
	if cmd.Flags().Lookup("config") == nil || cmd.Flags().Changed("config") {
		return nil
	}
	_, err = loadConfig(cmd.Flags())
	return err
}

// What the documents say to write into config.yaml can be read, and the mistake that the README shows is told like that.
func TestDocsConfigurations(t *testing.T) {
	read := 0
	for file, text := range documents(t) {
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			if head, _, _ := strings.Cut(block[2], "\n"); block[1] != "yaml" || !strings.HasSuffix(head, "config.yaml") {
				continue
			}
			read++
			if _, err := load(t, block[2]); err != nil {
				t.Errorf("%s:\n%s%v", file, block[2], err)
			}
		}
		text = fence.ReplaceAllString(text, "")
		for _, inline := range regexp.MustCompile("`(\\w+: \\{[^`]*\\})`").FindAllStringSubmatch(text, -1) {
			read++
			if _, err := load(t, inline[1]); err != nil {
				t.Errorf("%s: %s: %v", file, inline[1], err)
			}
		}
	}
	if read < 4 {
		t.Errorf("%d configurations in the documents, want 4 at least", read)
	}
}

func TestDocsMistake(t *testing.T) {
	readme := documents(t)["../../README.md"]
	_, err := load(t, "server: {lisen: 127.0.0.1:53}")
	if err == nil || !strings.Contains(readme, "mxglue: "+err.Error()+"\n") {
		t.Errorf("the README does not show the error %v", err)
	}
}

// Links lead to files that are there, and to headings that are in them.
func TestDocsLinks(t *testing.T) {
	for file, text := range documents(t) {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			path, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(t, target), anchor) {
				t.Errorf("%s: %s has no heading %q", file, target, anchor)
			}
		}
	}
}

// anchors are a document's headings as GitHub makes anchors of them.
func anchors(t *testing.T, file string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		plain := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// Every message that troubleshooting.md explains is one that the code can say: each piece between the … stands in a literal.
func TestDocsMessages(t *testing.T) {
	said := literals(t)
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(documents(t)["../../docs/troubleshooting.md"], -1)
	if len(rows) < 30 {
		t.Errorf("%d messages, want 30 at least", len(rows))
	}
	for _, row := range rows {
		for piece := range strings.SplitSeq(row[1], "…") {
			if piece = strings.TrimSpace(piece); !strings.Contains(said, piece) {
				t.Errorf("%s: nothing in the code says %q", row[1], piece)
			}
		}
	}
}

// literals are all strings in the code, but for those of tests, a line each. Those that are joined with + are one.
func literals(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var s scanner.Scanner
		files := gotoken.NewFileSet()
		s.Init(files.AddFile(path, -1, len(code)), code, nil, 0)
		for before := gotoken.ILLEGAL; ; {
			_, kind, text := s.Scan()
			switch {
			case kind == gotoken.EOF:
				return nil
			case kind == gotoken.STRING:
				if before != gotoken.ADD {
					all.WriteByte('\n')
				}
				value, err := strconv.Unquote(text)
				if err != nil {
					return err
				}
				all.WriteString(value)
			}
			before = kind
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

const (
	configurationFile = "../../docs/configuration.md"
	configurationHead = `# Configuration

<!-- Generated from config.yaml: MXGLUE_WRITE_DOCS=1 go test -run TestConfigurationReference ./cmd/mxglue -->

Every key of [config.yaml](../config.yaml), with its default. An absent key has its default; an unknown one is an error.
`
)

// The reference says what config.yaml says.
func TestConfigurationReference(t *testing.T) {
	source, err := os.ReadFile("../../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := configurationHead + reference(t, source)
	if os.Getenv(docsEnv) != "" {
		if err := os.WriteFile(configurationFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	is, err := os.ReadFile(configurationFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(is) != want {
		t.Errorf("%s is out of date; with %s=1 this test writes\n%s", configurationFile, docsEnv, want)
	}
	for _, k := range new(Config).settings() {
		if !strings.Contains(want, "\n### `"+k.key+"`\n") {
			t.Errorf("%s is not in it", k.key)
		}
	}
}

// reference renders the text of config.yaml: a heading for each key, its default, and the comment above it.
func reference(t *testing.T, source []byte) string {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal(source, &document); err != nil {
		t.Fatal(err)
	}
	intro, first, _ := strings.Cut(document.HeadComment+"\n\n"+document.Content[0].HeadComment, "\n\n")
	_, intro, _ = strings.Cut(intro, "\n#\n") // the first paragraph is for whoever edits the file
	var b strings.Builder
	b.WriteString("\n" + meaning(intro))
	root := document.Content[0].Content
	for i := 0; i+1 < len(root); i += 2 {
		section, comment := root[i].Value, root[i].HeadComment
		if i == 0 && comment == "" {
			comment = strings.TrimSpace(first)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s", section, meaning(comment))
		for j := 0; j+1 < len(root[i+1].Content); j += 2 {
			key, value := root[i+1].Content[j], root[i+1].Content[j+1]
			fmt.Fprintf(&b, "\n### `%s.%s`\n\nDefault: %s\n", section, key.Value, valueOf(value))
			if key.HeadComment != "" {
				b.WriteString("\n" + meaning(key.HeadComment))
			} else {
				fmt.Fprintf(&b, "\nSee `%s.%s`, above.\n", section, root[i+1].Content[j-2].Value)
			}
		}
	}
	return b.String()
}

// meaning makes text of a comment. What is indented in it is laid out by hand, and stays so.
func meaning(comment string) string {
	var b strings.Builder
	laidOut := false
	for line := range strings.Lines(comment) {
		line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "), "\n")
		if indented := strings.HasPrefix(line, "  "); indented != laidOut {
			b.WriteString(map[bool]string{true: "\n```text\n", false: "```\n\n"}[indented])
			laidOut = indented
		}
		b.WriteString(strings.TrimPrefix(line, "  ") + "\n")
	}
	if laidOut {
		b.WriteString("```\n")
	}
	return b.String()
}

// valueOf is a value as config.yaml has it, on one line.
func valueOf(value *yaml.Node) string {
	if value.Kind == yaml.ScalarNode {
		if value.Value == "" {
			return "empty"
		}
		return "`" + value.Value + "`"
	}
	if len(value.Content) == 0 {
		return "none"
	}
	var items []string
	for _, item := range value.Content {
		items = append(items, valueOf(item))
	}
	return strings.Join(items, ", ")
}
