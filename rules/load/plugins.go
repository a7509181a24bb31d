package load

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// pluginEndings are the endings of the names of files in a folder plugins, in the order in which CRS loads them: the last behind its rules, the
// others before them.
var pluginEndings = []string{"-config.conf", "-before.conf", "-after.conf"}

// pluginParts holds the directives of CRS plugins, by ending, until all sources are read.
type pluginParts [3][]seclang.Directive

// pluginEnding returns which ending the file of a plugin has, -1 for other files.
func pluginEnding(file string) int {
	if filepath.Base(filepath.Dir(file)) != "plugins" {
		return -1
	}
	return slices.IndexFunc(pluginEndings, func(ending string) bool { return strings.HasSuffix(file, ending) })
}

// setAside takes the directives from a place on out of the program when they are those of a plugin's file.
func (p *Program) setAside(file string, from int) {
	if ending := pluginEnding(file); ending >= 0 {
		p.plugins[ending] = append(p.plugins[ending], p.Directives[from:]...)
		p.Directives = p.Directives[:from]
	}
}

// placePlugins puts plugins around the rules of CRS, wherever their files stand among the sources. Without CRS they go around all files.
func (p *Program) placePlugins() {
	first, end := p.extentOfCRS()
	p.Directives = slices.Insert(p.Directives, end, p.plugins[2]...)
	p.Directives = slices.Insert(p.Directives, first, slices.Concat(p.plugins[0], p.plugins[1])...)
	p.plugins = pluginParts{}
}

// extentOfCRS returns where the rules of CRS begin and end: those in the folder with the initialization, from the first file that CRS names
// REQUEST-… on.
func (p *Program) extentOfCRS() (first, end int) {
	init := p.ruleBetween(901000, 901999)
	if init < 0 {
		return p.engineDirectives(), len(p.Directives)
	}
	folder := filepath.Dir(p.Directives[init].File)
	first = slices.IndexFunc(p.Directives, func(d seclang.Directive) bool {
		return filepath.Dir(d.File) == folder && strings.HasPrefix(filepath.Base(d.File), "REQUEST-")
	})
	if first < 0 || first > init {
		first = init
	}
	for i := range p.Directives {
		if filepath.Dir(p.Directives[i].File) == folder {
			end = i + 1
		}
	}
	return first, end
}
