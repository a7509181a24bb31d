// Command sbom lists what is inside built programs: sbom [-licenses DIRECTORY] -o FILE NAME VERSION PROGRAM...
//
// The list is a software bill of materials in CycloneDX's JSON. It is made of what the Go linker has written into the programs, so
// it holds just the modules that are in them, and of the license files of these modules, which go to DIRECTORY. A module with a
// license that is not known to be permissive is an error.
package main

import (
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	out := flag.String("o", "", "file of the list")
	licenses := flag.String("licenses", "", "directory for the texts of licenses")
	flag.Parse()
	if *out == "" || flag.NArg() < 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom [-licenses DIRECTORY] -o FILE NAME VERSION PROGRAM...")
		os.Exit(2)
	}
	if err := run(*out, *licenses, flag.Arg(0), flag.Arg(1), flag.Args()[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(out, licenses, name, version string, programs []string) error {
	modules, goVersion, err := modulesOf(programs)
	if err != nil {
		return err
	}
	var problems []error
	if licenses != "" {
		problems = append(problems, keepGo(licenses))
	}
	components := []cdx.Component{goComponent(goVersion)}
	for _, m := range modules {
		c, err := component(m, licenses)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		components = append(components, c)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return write(out, bill(name, version, components))
}

// modulesOf returns the modules in all programs, sorted, and the version of Go that built them.
func modulesOf(programs []string) (modules []debug.Module, goVersion string, err error) {
	known := map[string]bool{}
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, "", fmt.Errorf("modules of %s: %w", program, err)
		}
		goVersion = info.GoVersion
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			if strings.HasPrefix(m.Path, ".") {
				continue // a module of this repository
			}
			if id := m.Path + "@" + m.Version; !known[id] {
				known[id] = true
				modules = append(modules, *m)
			}
		}
	}
	slices.SortFunc(modules, func(a, b debug.Module) int { return strings.Compare(a.Path+"@"+a.Version, b.Path+"@"+b.Version) })
	return modules, goVersion, nil
}

func component(m debug.Module, licenses string) (cdx.Component, error) {
	dir, err := moduleDir(m)
	if err != nil {
		return cdx.Component{}, err
	}
	file, id, err := licenseOf(dir)
	if err != nil {
		return cdx.Component{}, fmt.Errorf("%s@%s: %w", m.Path, m.Version, err)
	}
	if licenses != "" {
		if err := keep(filepath.Join(licenses, strings.ReplaceAll(m.Path, "/", "_")+".txt"), file, filepath.Join(dir, "NOTICE")); err != nil {
			return cdx.Component{}, err
		}
	}
	purl := "pkg:golang/" + m.Path + "@" + m.Version
	c := cdx.Component{
		BOMRef: purl, PackageURL: purl, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, Scope: cdx.ScopeRequired,
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: id}}},
	}
	if sum, err := sha256Of(m.Sum); err == nil {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}}
	}
	return c, nil
}

func goComponent(version string) cdx.Component {
	purl := "pkg:golang/std@" + strings.TrimPrefix(version, "go")
	return cdx.Component{
		BOMRef: purl, PackageURL: purl, Type: cdx.ComponentTypeLibrary, Name: "std", Version: version, Scope: cdx.ScopeRequired,
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: "BSD-3-Clause"}}},
	}
}

func bill(name, version string, components []cdx.Component) *cdx.BOM {
	main := cdx.Component{
		BOMRef: "pkg:generic/" + name + "@" + version, Type: cdx.ComponentTypeApplication, Name: name, Version: version,
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
	}
	refs := make([]string, len(components))
	for i := range components {
		refs[i] = components[i].BOMRef
	}
	b := cdx.NewBOM()
	b.Metadata = &cdx.Metadata{Component: &main}
	b.Components = &components
	b.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
	return b
}

func write(out string, b *cdx.BOM) error {
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	encoder := cdx.NewBOMEncoder(file, cdx.BOMFileFormatJSON)
	encoder.SetPretty(true)
	return errors.Join(encoder.Encode(b), file.Close())
}
