// Package setting describes properties and reads them from any configuration that maps names to text: Fluent Bit's
// properties, the flags of wafctl, a map in a test. All problems are collected, so that a start reports them together.
package setting

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Property describes one setting to users: the host's config map, the flags of wafctl and the reference are made from it.
type Property struct {
	Name    string   // lower_snake_case
	Default string   // as a user would write it; empty when there is none
	Help    string   // one sentence without a full stop
	Values  []string // the allowed words, when only words are allowed
}

// Getter returns the text that a configuration has for a property, and "" when it has none.
type Getter interface {
	Get(name string) string
}

// Map is a Getter over a Go map.
type Map map[string]string

// Get returns m[name].
func (m Map) Get(name string) string { return m[name] }

// Reader reads properties that are described in a table, applies their defaults and collects what is wrong with them.
type Reader struct {
	Noun string // what problems call a setting; property unless changed

	get      Getter
	table    map[string]Property
	problems []error
}

// NewReader returns a Reader of the properties in table.
func NewReader(get Getter, table []Property) *Reader {
	r := &Reader{Noun: "property", get: get, table: make(map[string]Property, len(table))}
	for _, p := range table {
		r.table[p.Name] = p
	}
	return r
}

// Problem is what is wrong with one setting. Err joins them, and errors.As finds them in its parts.
type Problem struct {
	Noun, Name string
	Err        error
}

// Error says what the setting is called and what is wrong with it.
func (p *Problem) Error() string { return fmt.Sprintf("%s %s: %v", p.Noun, p.Name, p.Err) }

// Unwrap returns what is wrong.
func (p *Problem) Unwrap() error { return p.Err }

// Problems returns all problems found so far.
func (r *Reader) Problems() []error { return r.problems }

// Err returns all problems found so far as one error, nil when there are none.
func (r *Reader) Err() error { return errors.Join(r.problems...) }

// Problem records that the setting name cannot be used as it is.
func (r *Reader) Problem(name string, err error) {
	r.problems = append(r.problems, &Problem{r.Noun, name, err})
}

// Text returns the value of a property without surrounding spaces, or its default.
func (r *Reader) Text(name string) string {
	p, known := r.table[name]
	if !known {
		r.Problem(name, fmt.Errorf("not in the %s table", r.Noun))
		return ""
	}
	v := strings.TrimSpace(r.get.Get(name))
	if v == "" {
		v = p.Default
	}
	return v
}

// Given reports whether the configuration itself has a value for a property.
func (r *Reader) Given(name string) bool { return strings.TrimSpace(r.get.Get(name)) != "" }

// Word returns the value of a property that allows only the words in its table entry.
func (r *Reader) Word(name string) string {
	v := strings.ToLower(r.Text(name))
	if allowed := r.table[name].Values; !slices.Contains(allowed, v) {
		r.Problem(name, fmt.Errorf("unknown value %q (want %s)", v, Choice(allowed)))
	}
	return v
}

// Bool returns a switch: on, off, and the other spellings that Fluent Bit takes.
func (r *Reader) Bool(name string) bool {
	switch v := strings.ToLower(r.Text(name)); v {
	case "on", "true", "yes", "1":
		return true
	case "off", "false", "no", "0":
		return false
	default:
		r.Problem(name, fmt.Errorf("malformed switch %q (want on or off)", v))
		return false
	}
}

// Int returns a whole number from low to high. A property without value and default is 0.
func (r *Reader) Int(name string, low, high int) int {
	v := r.Text(name)
	if v == "" {
		return 0
	}
	n, err := ParseInt(v, low, high)
	if err != nil {
		r.Problem(name, err)
	}
	return n
}

// ParseInt reads a whole number from low to high. With an error it returns low.
func ParseInt(text string, low, high int) (int, error) {
	n, err := strconv.Atoi(text)
	limits := fmt.Sprintf("%d to %d", low, high)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return low, fmt.Errorf("malformed number %q (want %s)", text, limits)
	case err != nil, n < low, n > high:
		return low, OutOfRange(text, limits)
	}
	return n, nil
}

// OutOfRange is the error for a well-formed value that the limits do not allow.
func OutOfRange(value, limits string) error {
	return fmt.Errorf("%s is out of range (%s)", value, limits)
}

// Size returns a number of bytes written as Fluent Bit does: 512, 64K, 10M, 1G (powers of 1,024; a B behind is allowed).
func (r *Reader) Size(name string) int64 {
	v := r.Text(name)
	n, err := parseSize(v)
	if err != nil {
		r.Problem(name, err)
	}
	return n
}

// shortestInterval keeps a mistaken unit from turning an interval into a loop.
const shortestInterval = 100 * time.Millisecond

// Interval returns a time written as Fluent Bit or Go do: 30, 30s, 500ms, 5m; 0 for off.
func (r *Reader) Interval(name string) time.Duration {
	return r.Duration(name, shortestInterval, math.MaxInt64)
}

// Duration is Interval for a time from low to high.
func (r *Reader) Duration(name string, low, high time.Duration) time.Duration {
	v := strings.ToLower(r.Text(name))
	switch v {
	case "", "0", "off":
		return 0
	}
	d, err := time.ParseDuration(v)
	if seconds, plain := strconv.ParseUint(v, 10, 31); plain == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	limits := "at least " + Time(low)
	if high < math.MaxInt64 {
		limits = Time(low) + " to " + Time(high)
	}
	switch {
	case err != nil:
		err = fmt.Errorf("malformed time %q (want off, or a time such as 10s or 5m, %s)", v, limits)
	case d < low, d > high:
		err = OutOfRange(v, limits+", or off")
	default:
		return d
	}
	r.Problem(name, err)
	return 0
}

// Time writes a time as users do: 10m, not 10m0s.
func Time(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// List returns the comma separated parts of a value without surrounding spaces and empty parts.
func (r *Reader) List(name string) []string {
	var parts []string
	for part := range strings.SplitSeq(r.Text(name), ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func parseSize(v string) (int64, error) {
	malformed := fmt.Errorf("malformed size %q (want a number of bytes, or one with K, M or G)", v)
	digits := strings.TrimSuffix(strings.ToUpper(v), "B")
	shift := 0
	if digits != "" {
		switch digits[len(digits)-1] {
		case 'K':
			shift = 10
		case 'M':
			shift = 20
		case 'G':
			shift = 30
		}
	}
	if shift > 0 {
		digits = digits[:len(digits)-1]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<62)>>shift {
		return 0, malformed
	}
	return n << shift, nil
}

// Choice joins words as a sentence does: "a", "a or b", "a, b or c".
func Choice(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
