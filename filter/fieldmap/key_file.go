package fieldmap

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
)

const maxKeyFile = 1 << 20 // bytes

// readKeyFile reads a key file of ModSecurity for Anylog: a line name:key says under which key a record has a value.
// Names that the file does not mention keep Nano's keys.
func readKeyFile(path string) (*Map, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file (%w)", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("larger than %d bytes", maxKeyFile)
	}
	return ParseKeyFile(path, string(text))
}

// ParseKeyFile reads the text of a key file. Case of the name is ignored, blanks are trimmed, lines without a colon are skipped.
func ParseKeyFile(name, text string) (*Map, error) {
	keys := maps.Clone(nano)
	var problems []error
	number := 0
	for line := range strings.Lines(text) {
		number++
		left, key, hasColon := strings.Cut(line, ":")
		left, key = strings.ToLower(strings.TrimSpace(left)), strings.TrimSpace(key)
		if !hasColon || strings.HasPrefix(left, "#") {
			continue
		}
		field, known := fieldNamed(left)
		switch {
		case !known:
			problems = append(problems, fmt.Errorf("line %d: unknown name %q (want one of %s)", number, left, strings.Join(names[:], " ")))
		case key == "":
			problems = append(problems, fmt.Errorf("line %d: name %q has no key", number, left))
		default:
			maps.DeleteFunc(keys, func(_ string, f Field) bool { return f == field })
			keys[key] = field
		}
	}
	return &Map{Name: name, keys: keys}, errors.Join(problems...)
}

func fieldNamed(name string) (Field, bool) {
	for field, n := range names {
		if n == name {
			return Field(field), true
		}
	}
	return 0, false
}
