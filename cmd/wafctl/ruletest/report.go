package ruletest

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"os"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
)

func writeTest(c *cli.Console, to *bufio.Writer, r *testResult, verbose bool) {
	name := cli.Printable(r.file + ": " + r.id)
	switch {
	case r.skipped != "":
		if verbose {
			fmt.Fprintf(to, "%s  %s: %s\n", c.Paint(cli.Yellow, "skip"), name, r.skipped)
		}
	case len(r.failures) == 0:
		if verbose {
			fmt.Fprintf(to, "%s  %s\n", c.Paint(cli.Green, "pass"), name)
		}
	default:
		fmt.Fprintf(to, "%s  %s\n", c.Paint(cli.Red, "FAIL"), name)
		for _, failure := range r.failures {
			fmt.Fprintf(to, "      %s\n", cli.Printable(failure))
		}
	}
}

// JUnitSuite is a file of tests in the XML that CI systems read.
type JUnitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"` // in seconds
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"` // in seconds
	Failure *junitFailure `xml:"failure"`
	Skipped *junitSkipped `xml:"skipped"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// writeJUnit writes results, which are in the order of their files, as JUnit XML.
func writeJUnit(path string, results []testResult) error {
	var report struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []JUnitSuite
	}
	for len(results) > 0 {
		n := 1
		for n < len(results) && results[n].file == results[0].file {
			n++
		}
		report.Suites = append(report.Suites, newJUnitSuite(results[:n]))
		results = results[n:]
	}
	text, err := xml.MarshalIndent(&report, "", "  ")
	if err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	if err := os.WriteFile(path, append([]byte(xml.Header), append(text, '\n')...), 0o644); err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	return nil
}

func newJUnitSuite(results []testResult) JUnitSuite {
	s := summarize(results)
	suite := JUnitSuite{Name: cli.Printable(results[0].file), Tests: len(results), Failures: s.failed, Skipped: s.skipped}
	var seconds float64
	for i := range results {
		r := &results[i]
		seconds += r.took.Seconds()
		c := junitCase{Class: suite.Name, Name: cli.Printable(r.id), Time: fmt.Sprintf("%.3f", r.took.Seconds())}
		if r.skipped != "" {
			c.Skipped = &junitSkipped{r.skipped}
		}
		if len(r.failures) > 0 {
			text := cli.Printable(strings.Join(r.failures, "; "))
			c.Failure = &junitFailure{cli.Printable(r.failures[0]), text}
		}
		suite.Cases = append(suite.Cases, c)
	}
	suite.Time = fmt.Sprintf("%.3f", seconds)
	return suite
}
