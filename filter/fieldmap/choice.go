package fieldmap

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Choice is what the property field_map names: one map for all records, or several of which the first whose keys a record
// has is used. It is safe for concurrent use.
type Choice struct {
	maps     []*Map
	metadata bool // some map reads metadata
	proxies  Proxies
	layouts  *layouts
}

// Trust sets the proxies whose word is taken on where a request came from; those in private networks otherwise. It must not be
// called once records are read.
func (c *Choice) Trust(proxies Proxies) { c.proxies = proxies }

// Open returns the maps that a property names: auto (all built-in maps), the name of a built-in map, the path of a YAML map or
// of a key file, or several of them separated by commas, of which the first that fits a record counts.
func Open(names string) (*Choice, error) {
	c := &Choice{layouts: newLayouts(), proxies: privateNetworks}
	var problems []error
	for name := range strings.SplitSeq(names, ",") {
		added, err := mapsNamed(strings.TrimSpace(name))
		if err != nil {
			problems = append(problems, err)
		}
		c.maps = append(c.maps, added...)
	}
	for _, m := range c.maps {
		c.metadata = c.metadata || m.root.children[metadataKey] != nil
	}
	return c, errors.Join(append(problems, c.ambiguities()...)...)
}

// ambiguities refuses maps that cannot be distinguished.
func (c *Choice) ambiguities() (problems []error) {
	for i, m := range c.maps {
		if len(c.maps) > 1 && m.detects == 0 {
			problems = append(problems, fmt.Errorf("field map %q has no detect keys, so it cannot be combined with other maps", m.Name))
		}
		if slices.ContainsFunc(c.maps[:i], func(o *Map) bool { return o.Name == m.Name }) {
			problems = append(problems, fmt.Errorf("two field maps are named %q", m.Name))
		}
	}
	return problems
}

func mapsNamed(name string) ([]*Map, error) {
	if name == "auto" {
		return builtIn(), nil
	}
	for _, m := range builtIn() {
		if m.Name == name {
			return []*Map{m}, nil
		}
	}
	text, err := readMapFile(name)
	if err != nil {
		return nil, fmt.Errorf("field map %q (want auto, %s, or the path of a YAML map or key file): %w",
			name, strings.Join(BuiltIn(), ", "), err)
	}
	var m *Map
	if extension := filepath.Ext(name); extension == ".yaml" || extension == ".yml" {
		m, err = ParseYAML(name, text)
	} else {
		m, err = ParseKeyFile(name, string(text))
	}
	if err != nil {
		return nil, fmt.Errorf("field map: %w", err)
	}
	return []*Map{m}, nil
}

// readMapFile reads a file that is no device, pipe or directory and of reasonable size.
func readMapFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxDefinition+1))
	if err == nil && len(text) > maxDefinition {
		err = fmt.Errorf("larger than %d bytes", maxDefinition)
	}
	return text, err
}

// Names returns the names of the maps, in the order in which they are tried.
func (c *Choice) Names() []string {
	all := make([]string, len(c.maps))
	for i, m := range c.maps {
		all[i] = m.Name
	}
	return all
}

// Read fills the values with what a record's body and metadata say, with the first map that fits it, and returns that map's
// place in Names. Where no map fits, it reads the record that an envelope in the body holds. It returns NoMap when there is none,
// and when the body is no map, and Several for a list of records. Metadata may be nil.
func (c *Choice) Read(metadata, body []byte, v *Values) int {
	v.inner.Inside, v.inner.metadata = Inside{requests: v.inner.requests[:0]}, metadata
	if !c.metadata || len(metadata) < 2 { // an empty map has one byte
		metadata = nil
	}
	v.proxies = c.proxies
	if l := v.follow(c, metadata, body); l != nil {
		return l.candidates[0].index
	}
	if !v.split(metadata, body) {
		return NoMap
	}
	if at := c.choose(v); at != NoMap {
		return at
	}
	return c.readInside(v)
}

// choose reads the pairs that were split with the first map that fits them, and returns its place, NoMap when there is none.
func (c *Choice) choose(v *Values) int {
	l := c.find(v)
	for i := range l.candidates {
		if one := &l.candidates[i]; one.fits(v.pairs) {
			v.run(one)
			return one.index
		}
	}
	return NoMap
}
