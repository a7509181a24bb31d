// Package ruleset is the Core Rule Set as benchmarks give it to other engines. It writes the embedded rules with the settings of the
// corpus to files. Engines that are compared so have the same rules.
package ruleset

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// The parts of a rule set in load order: Coraza's recommended configuration, the Core Rule Set, and between and behind them the
// settings of the corpus's site.
const (
	Recommended = "@coraza.conf-recommended"
	Setup       = "@crs-setup.conf.example"
	Rules       = "@owasp_crs/*"
)

// SiteSettings returns the settings of the corpus's site as SecLang, for the place before CRS reads them.
func SiteSettings() string {
	return fmt.Sprintf(`SecAuditEngine Off
SecAction "id:900200,phase:1,pass,t:none,nolog,setvar:'tx.allowed_methods=%s'"
SecAction "id:900220,phase:1,pass,t:none,nolog,setvar:'tx.allowed_request_content_type=|%s|'"
`, corpus.Settings["allowed_methods"], strings.ReplaceAll(corpus.Settings["allowed_request_content_type"], " ", "| |"))
}

// SiteExceptions returns the exclusions of the corpus's site as SecLang, for the end.
func SiteExceptions() string { return corpus.Settings["directives"] + "\n" }

// Write writes the rule set as files into a folder and returns the configuration files in load order.
func Write(dir string) (files []string, err error) {
	write := func(name string, content []byte) {
		if err != nil {
			return
		}
		file := filepath.Join(dir, strings.Trim(name, "@"))
		if err = os.WriteFile(file, content, 0o600); err == nil && strings.Contains(name, ".conf") {
			files = append(files, file)
		}
	}
	embedded, err := fs.Glob(coreruleset.FS, Rules)
	if err != nil {
		return nil, err
	}
	slices.Sort(embedded)
	for _, name := range append([]string{Recommended, Setup, "site.conf"}, embedded...) {
		content := []byte(SiteSettings())
		if name != "site.conf" {
			if content, err = fs.ReadFile(coreruleset.FS, name); err != nil {
				return nil, err
			}
		}
		if strings.Contains(name, ".conf") {
			content = forModSecurity(content)
		}
		write(filepath.Base(name), content)
	}
	write("exceptions.conf", []byte(SiteExceptions()))
	return files, err
}

// forModSecurity spells configuration for libmodsecurity: it wants a blank line between rules, and refuses a directive that it
// no longer has.
func forModSecurity(content []byte) []byte {
	content = bytes.ReplaceAll(content, []byte("\nSec"), []byte("\n\nSec"))
	return bytes.ReplaceAll(content, []byte("SecRequestBodyInMemoryLimit"), []byte("# SecRequestBodyInMemoryLimit"))
}
