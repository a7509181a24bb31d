// Command prose checks the English of what the project writes, in Markdown, YAML, configuration files and Go: spelling, and phrases that
// a reader stumbles over. Each finding has its file and line, and what to write instead. The argument is the root of the repository.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: prose ROOT")
		os.Exit(2)
	}
	findings, err := checkAll(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(2)
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	if len(findings) > 0 {
		os.Exit(1)
	}
}

// checkAll checks the files that Git knows below a directory.
func checkAll(root string) (findings []finding, err error) {
	names, err := exec.Command("git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		read := readerOf(name)
		if read == nil {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			return nil, err
		}
		findings = append(findings, check(name, read(content))...)
	}
	return findings, nil
}
