package main

import (
	"os"
	"path/filepath"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheBillListsTheModulesOfAProgram(t *testing.T) {
	program, err := os.Executable() // this test has dependencies of its own
	require.NoError(t, err)
	dir := t.TempDir()
	out, licenses := filepath.Join(dir, "sbom.json"), filepath.Join(dir, "licenses")
	require.NoError(t, run(out, licenses, "program", "1.2.3", []string{program}))

	file, err := os.Open(out)
	require.NoError(t, err)
	defer file.Close()
	var b cdx.BOM
	require.NoError(t, cdx.NewBOMDecoder(file, cdx.BOMFileFormatJSON).Decode(&b))
	assert.Equal(t, "program", b.Metadata.Component.Name)
	byName := map[string]cdx.Component{}
	for _, c := range *b.Components {
		byName[c.Name] = c
	}
	lib := byName["github.com/CycloneDX/cyclonedx-go"]
	assert.Equal(t, "Apache-2.0", (*lib.Licenses)[0].License.ID)
	assert.Regexp(t, `^pkg:golang/github.com/CycloneDX/cyclonedx-go@v\d`, lib.PackageURL)
	assert.Regexp(t, `^[0-9a-f]{64}$`, (*lib.Hashes)[0].Value)
	assert.Contains(t, byName, "std")
	text, err := os.ReadFile(filepath.Join(licenses, "github.com_CycloneDX_cyclonedx-go.txt"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "Apache License")
	assert.Len(t, *(*b.Dependencies)[0].Dependencies, len(*b.Components))
	assert.FileExists(t, filepath.Join(licenses, "go.txt"))
}

func TestOnlyPermissiveLicensesPass(t *testing.T) {
	const bsd = "Redistributions in binary form must reproduce\nthe above copyright notice."
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                           "Apache-2.0",
		"Mozilla Public License Version 2.0 … GNU Lesser General Public License":                 "MPL-2.0",
		"Mozilla Public License, version 2.0 1. Definitions … GNU Lesser General Public License": "MPL-2.0",
		bsd:                                "BSD-2-Clause",
		bsd + " Neither the name of X nor": "BSD-3-Clause",
		"Permission is hereby granted, free of charge, to any person obtaining a\n copy …" +
			"The above copyright notice and this permission notice": "MIT",
		"GNU GENERAL PUBLIC LICENSE Version 3":                                          "",
		"GNU Affero General Public License … Apache License, Version 2.0, January 2004": "",
		"All rights reserved.": "",
	} {
		assert.Equal(t, want, identify(text), text)
	}
	dir := t.TempDir()
	_, _, err := licenseOf(dir)
	require.ErrorContains(t, err, "no license file")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "COPYING"), []byte("GNU GENERAL PUBLIC LICENSE"), 0o600))
	_, _, err = licenseOf(dir)
	require.ErrorContains(t, err, "COPYING is no license that is known to be permissive")
}
