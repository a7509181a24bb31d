package backtrack

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// perlScript matches byte strings as PCRE does without UTF mode: for each line with an expression and a value in hexadecimal digits it writes
// where the match and its groups are, "-" when there is none, or "!" for an expression that is malformed.
const perlScript = `
use strict; no warnings;
$| = 1;
while (<STDIN>) {
	chomp;
	my ($pattern, $value) = map { pack "H*", $_ } split / /, $_, -1;
	my @found = eval { $value =~ /$pattern/sm ? map { defined $-[$_] ? ($-[$_], $+[$_]) : (-1, -1) } 0 .. $#+ : ("-") };
	print $@ ? "!" : join(" ", @found), "\n";
}`

// question is an expression and a value.
type question struct{ expression, value string }

// askPerl returns what Perl finds.
func askPerl(t *testing.T, questions []question) (answers []string) {
	t.Helper()
	program := testtool.Program(t, "perl", "perl")
	var in bytes.Buffer
	for _, q := range questions {
		fmt.Fprintln(&in, hex.EncodeToString([]byte(q.expression)), hex.EncodeToString([]byte(q.value)))
	}
	perl := exec.CommandContext(t.Context(), program, "-e", perlScript)
	perl.Stdin = &in
	out, err := perl.Output()
	require.NoError(t, err)
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		answers = append(answers, lines.Text())
	}
	require.Len(t, answers, len(questions))
	return answers
}

// maker writes random expressions of the whole grammar, and values that have a fair chance to match.
type maker struct {
	*rand.Rand
	groups int  // so far
	bare   bool // without groups: Perl keeps those in negative look-around, PCRE does not
}

func (m *maker) pick(list ...string) string { return list[m.IntN(len(list))] }

func (m *maker) atom(depth int) string {
	if depth > 0 && m.IntN(3) == 0 {
		return m.nested(depth - 1)
	}
	if m.groups > 0 && m.IntN(12) == 0 {
		return m.pick(`\1`, `\g{1}`, `(?:\1)`)
	}
	return m.pick("a", "b", "c", "k", "s", "foo", "=", `\x5c`, ".", `\d`, `\w`, `\W`, `\s`, `\S`, `\h`, `\v`, `\H`, `\V`, `\N`, "[a-c]", "[^a]", `[^\s\d]`, `[\W_]`,
		`[[:alpha:]\x20]`, "[]a]", "[^]a]", "[a-]", `[\d-z]`, `[\x00-\xff]`, `[\x80-\xff]`, "\xe9", "é", "[é]", `\xe9`, `\x{E9}`, `\0`, `\012`, `\cJ`, "{", "}", "-", "]",
		`[[b]`, `[b\]{}]`, `[^[:space:]]`, `\.`, `\"`, `\t`, "x", "X", "[X-c]", `[!-~]`, "#", " ", "(?#c)a")
}

func (m *maker) nested(depth int) string {
	kind := m.pick("(", "(", "(?:", "(?:", "(?>", "(?=", "(?!", "(?<=", "(?<!", "(?i)", "(?i:", "(?-i:", "(?s-m:", "(?-s:")
	switch kind {
	case "(?i)":
		return kind
	case "(?<=", "(?<!":
		return kind + m.pick("a", "é", "[a-c]", "ab|c", `\b`, "^", `\d\d`, "(?i)k") + ")"
	case "(?!":
		bare := m.bare
		m.bare = true
		text := kind + m.alternatives(depth) + ")"
		m.bare = bare
		return text
	case "(":
		if m.bare {
			kind = "(?:"
			break
		}
		text := kind + m.alternatives(depth) + ")"
		m.groups++
		return text
	}
	return kind + m.alternatives(depth) + ")"
}

func (m *maker) alternatives(depth int) string {
	var all []string
	for range 1 + m.IntN(2) {
		var b strings.Builder
		for range 1 + m.IntN(3) {
			b.WriteString(m.pick("", "", "", "", "", "^", "$", `\b`, `\B`, `\A`, `\z`, `\Z`))
			atom := m.atom(depth)
			b.WriteString(atom)
			if !canBeEmpty(atom) {
				b.WriteString(m.pick("", "", "", "*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,2}", "{1,}?", "{0,2}+"))
			}
		}
		all = append(all, b.String())
	}
	return strings.Join(all, "|")
}

// canBeEmpty reports whether a part can match the empty text: how often a loop takes that differs between Perl, PCRE and regexp2.
func canBeEmpty(part string) bool {
	t, err := translate(part)
	if err != nil {
		return true
	}
	empty, err := regexp.MatchString(`\A(?:`+t.loose.String()+`)\z`, "")
	return err != nil || empty || strings.Contains(part, `\1`) || strings.Contains(part, `\g`)
}

func (m *maker) value() string {
	var b strings.Builder
	for range m.IntN(7) {
		b.WriteString(m.pick("a", "b", "c", "ab", "foo", "K", "k", "S", "=", `\`, " ", "\n", "\r\n", "\v", "\t", "1", "12", "_", "é", "É", "\xe9", "\xc9", "\xff", "\x85", "\xa0", "\x00",
			"\u212a", "\u017f", "]", "-", "x", "X", "z", "{", ".*", "\"", "#"))
	}
	return b.String()
}

func TestExpressionsMatchAsInPerl(t *testing.T) {
	m := &maker{Rand: rand.New(rand.NewPCG(1, 2))}
	var questions []question
	expressions := map[string]*Expression{}
	for len(expressions) < 4000 {
		m.groups = 0
		expression := m.alternatives(2)
		e, err := Compile(expression)
		if err != nil {
			continue
		}
		expressions[expression] = e
		for range 12 {
			questions = append(questions, question{expression, m.value()})
		}
	}
	matches, gaveUp := 0, 0
	for i, answer := range askPerl(t, questions) {
		q := questions[i]
		if answer == "!" {
			continue // lookbehind of a variable length, for one
		}
		groups, err := expressions[q.expression].Find(q.value)
		if err != nil {
			gaveUp++
			continue // some take long, and all do on a machine that does something else
		}
		found := "-"
		if groups != nil {
			found = strings.Trim(fmt.Sprint(groups), "[]")
			matches++
		}
		require.Equal(t, answer, found, "%q on %q", q.expression, q.value)
		matched, err := expressions[q.expression].Match(q.value)
		require.Equal(t, groups != nil && err == nil, matched, "%q on %q", q.expression, q.value)
	}
	t.Logf("%d of %d values match", matches, len(questions))
	require.Less(t, gaveUp, len(questions)/100)
	require.Greater(t, matches*10, len(questions))
}
