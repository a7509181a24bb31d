//go:build !waf_fault

package main

// fault is where builds for the tests of the panic path break; see fault_on.go.
func fault(string) {}
