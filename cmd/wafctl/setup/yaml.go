package setup

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlText writes a pipeline with comments, which no YAML library keeps in their places.
type yamlText struct {
	strings.Builder
	indent string
}

// commentColumn is where comments behind values begin, where the value leaves room.
const commentColumn = 42

// fileWidth is up to where comments stand behind values; longer ones have a line of their own.
const fileWidth = 80

// line writes one line.
func (y *yamlText) line(text string) { y.WriteString(y.indent + text + "\n") }

// item begins a member of a list with its first key.
func (y *yamlText) item(key, value string) { y.line("- " + key + ": " + scalar(value)) }

// set writes a key of the member of a list.
func (y *yamlText) set(key, value string) { y.line("  " + key + ": " + scalar(value)) }

// note is set with a comment.
func (y *yamlText) note(key, value, comment string) {
	text := y.indent + "  " + key + ": " + scalar(value)
	if max(commentColumn, len(text)+1)+len("# ")+len(comment) > fileWidth {
		y.line("  # " + comment)
		y.WriteString(text + "\n")
		return
	}
	y.WriteString(text + strings.Repeat(" ", max(1, commentColumn-len(text))) + "# " + comment + "\n")
}

// scalar writes a text so that YAML reads the same text.
func scalar(text string) string {
	switch text {
	case "on", "off": // as everybody writes them; Fluent Bit has no booleans
		return text
	}
	var document yaml.Node
	if yaml.Unmarshal([]byte(text), &document) == nil && len(document.Content) == 1 && document.Content[0].Kind == yaml.ScalarNode &&
		document.Content[0].Value == text && document.Content[0].LineComment == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
