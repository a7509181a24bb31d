package load

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// readDataFiles reads what operators such as @pmFromFile name, so that the content takes part in the identity of the rule set
// and nothing is read later.
func (p *Program) readDataFiles() {
	p.eachRule(func(r *seclang.Rule) {
		if !readsFile(r.Operator.Name) {
			return
		}
		name := askedName(r)
		if _, known := p.Data[name]; known {
			return
		}
		content, err := p.readData(r)
		if err != nil {
			p.fail(fmt.Errorf("%s: @%s: %w", r.Place(), r.Operator.Name, err))
			return
		}
		p.Data[name] = content
	})
}

// eachRule calls visit for every SecRule that can be read.
func (p *Program) eachRule(visit func(*seclang.Rule)) {
	for _, d := range p.Directives {
		if !d.Is("SecRule") {
			continue
		}
		if r, err := seclang.ParseRule(d); err == nil {
			visit(&r)
		}
	}
}

func readsFile(operator string) bool {
	switch strings.ToLower(operator) {
	case "pmfromfile", "pmf", "ipmatchfromfile", "ipmatchf", "validateschema":
		return true
	}
	return false
}

// askedName returns the name under which Coraza asks for the data of a rule's operator.
func askedName(r *seclang.Rule) string {
	if path.IsAbs(r.Operator.Argument) || strings.EqualFold(r.Operator.Name, "validateSchema") {
		return r.Operator.Argument
	}
	return path.Join(path.Dir(r.File), r.Operator.Argument)
}

// readData reads the file that an operator names; of several, as ModSecurity allows them, the lines of all.
func (p *Program) readData(r *seclang.Rule) ([]byte, error) {
	whole, err := p.readDataFile(r.File, r.Operator.Argument)
	names := strings.Fields(r.Operator.Argument)
	if err == nil || len(names) < 2 {
		return whole, err
	}
	var all [][]byte
	for _, name := range names {
		content, err := p.readDataFile(r.File, name)
		if err != nil {
			return nil, err
		}
		all = append(all, content)
	}
	return bytes.Join(all, []byte("\n")), nil
}

// readDataFile reads a file where its name says, or where the longest suffix of it exists in the source that the rule is
// from.
func (p *Program) readDataFile(from, name string) ([]byte, error) {
	if strings.HasPrefix(from, "@") && !path.IsAbs(name) {
		return fs.ReadFile(coreruleset.FS, path.Join(path.Dir(from), name))
	}
	if strings.Contains(name, "://") {
		return nil, fmt.Errorf("%q is not allowed: data is never fetched from the network", name)
	}
	r := reading{root: filepath.Dir(from)}
	if file, known := p.read[from]; known {
		r.root = file.root
	}
	for _, candidate := range r.candidates(filepath.Dir(from), name) {
		p.files.note(filepath.Dir(candidate))
		if exists(candidate) {
			return p.files.read(candidate)
		}
	}
	return nil, fmt.Errorf("%s: %w", name, syscall.ENOENT)
}

// DataByRule returns what the operators of each rule read from files, those of the rules chained to it included.
func (p *Program) DataByRule() map[int][]byte {
	data := map[int][]byte{}
	id, chained := 0, false
	for _, d := range p.Directives {
		if !d.IsRule() {
			continue
		}
		r, err := seclang.ParseRule(d)
		if err != nil {
			continue // the compiler has accepted it, and it reads nothing
		}
		if !chained {
			id = r.ID()
		}
		chained = r.Chained()
		if readsFile(r.Operator.Name) {
			data[id] = append(append(data[id], '\n'), p.Data[askedName(&r)]...)
		}
	}
	return data
}
