package smtpprobe

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const (
	schemaFile = "../docs/check-json.md"
	schemaEnv  = "MXGLUE_WRITE_DOCS" // set: the tables are written anew, not compared
	schemaHead = "\n## Report\n"     // where they begin
)

// The reference has every field of the JSON, with what the source says of it.
func TestSchemaReference(t *testing.T) {
	is, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	written, _, _ := strings.Cut(string(is), schemaHead)
	s := schema{said: map[string]string{}, words: map[string][]string{}, done: map[reflect.Type]bool{}}
	for _, dir := range []string{".", "dane", "sts", "records"} {
		s.read(t, dir)
	}
	s.table(reflect.TypeFor[Report]())
	want := strings.TrimRight(written, "\n") + "\n" + s.text.String()
	for _, lacks := range s.silent {
		t.Errorf("%s has no comment that the reference could show", lacks)
	}
	if os.Getenv(schemaEnv) != "" {
		err = os.WriteFile(schemaFile, []byte(want), 0o644)
	} else if string(is) != want {
		t.Errorf("%s is out of date: with %s=1 this test writes it anew", schemaFile, schemaEnv)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A schema gathers the tables: one for each struct, in the order in which a reader meets them.
type schema struct {
	text   strings.Builder
	said   map[string]string   // "dane.Result.Base": its comment
	words  map[string][]string // "dane.Status": its constants
	done   map[reflect.Type]bool
	silent []string
}

// read takes the comments of a package's sources.
func (s *schema) read(t *testing.T, dir string) {
	t.Helper()
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if fields, ok := n.Type.(*ast.StructType); ok {
					for _, f := range fields.Fields.List {
						for _, name := range f.Names {
							s.said[file.Name.Name+"."+n.Name.Name+"."+name.Name] = oneLine(f.Comment)
						}
					}
				}
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); ok && len(n.Values) == 1 {
					if value, ok := n.Values[0].(*ast.BasicLit); ok {
						word := "`" + strings.Trim(value.Value, `"`) + "`"
						if said := oneLine(n.Comment); said != "" {
							word += " (" + said + ")"
						}
						s.words[file.Name.Name+"."+kind.Name] = append(s.words[file.Name.Name+"."+kind.Name], word)
					}
				}
			}
			return true
		})
	}
}

// oneLine is a comment as a cell of a table.
func oneLine(c *ast.CommentGroup) string {
	return strings.ReplaceAll(strings.TrimSpace(c.Text()), "|", "\\|")
}

// table writes the table of a struct, and then those of the structs in it.
func (s *schema) table(t reflect.Type) {
	if s.done[t] {
		return
	}
	s.done[t] = true
	fmt.Fprintf(&s.text, "\n## %s\n\n| field | type | what it says |\n| --- | --- | --- |\n", title(t))
	var next []reflect.Type
	for _, f := range reflect.VisibleFields(t) {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous {
			continue
		}
		kind := f.Type
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
			kind = kind.Elem()
		}
		said := s.said[t.String()+"."+f.Name]
		words := s.words[kind.String()]
		if said == "" && len(words) == 0 && !ours(kind) {
			s.silent = append(s.silent, t.String()+"."+f.Name)
		}
		if len(words) > 0 {
			said = strings.TrimPrefix(said+". ", ". ") + "One of " + strings.Join(words, ", ")
		}
		fmt.Fprintf(&s.text, "| `%s` | %s | %s |\n", name, typeName(f.Type, rest), said)
		if ours(kind) {
			next = append(next, kind)
		}
	}
	for _, kind := range next {
		s.table(kind)
	}
}

// ours tells whether a type is a struct with a table.
func ours(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.Contains(t.PkgPath(), "smtpprobe")
}

// title names a struct: those of other packages with the package.
func title(t reflect.Type) string { return strings.TrimPrefix(t.String(), "smtpprobe.") }

// typeName is what a field holds in JSON.
func typeName(t reflect.Type, options string) string {
	if options != "" {
		return typeName(t, "") + ", or absent"
	}
	switch {
	case t.Kind() == reflect.Pointer:
		return typeName(t.Elem(), "") + " or null"
	case t.Kind() == reflect.Slice:
		return "array of " + typeName(t.Elem(), "")
	case ours(t):
		return "[" + title(t) + "](#" + strings.ReplaceAll(strings.ToLower(title(t)), ".", "") + ")"
	case t.String() == "time.Time":
		return "string, RFC 3339"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.String || t.String() == "netip.Addr":
		return "string"
	}
	return "number"
}
