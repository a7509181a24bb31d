package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/sample"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Bounds of what is read of a file.
const (
	tailSize   = 4 << 20  // of a log that grows, at its end
	sampleSize = 32 << 20 // of a file of records
)

// records checks how the plugin reads the records of a sample, and what it finds in them.
func (d *Doctor) records(ctx context.Context) {
	subjects := d.subjects()
	if len(subjects) == 0 {
		d.find("sample", Warn, "pass a file of records: wafctl doctor PIPELINE FILE", "no input reads an existing file")
	}
	for _, s := range subjects {
		if s.sample.Read(d.choice(s.section)); !d.fieldMap(s) {
			continue
		}
		d.clock(s)
		d.alarms(ctx, s)
	}
}

// subjects returns the sections with waf that have a sample.
func (d *Doctor) subjects() (all []*subject) {
	if d.Sample != "" {
		for s := range d.Config.All() {
			if s.Name() == "waf" && s.Kind != fluentbit.Input {
				return d.sampled(all, s, d.Sample, d.given)
			}
		}
		return nil
	}
	routes := d.routes()
	for i := range d.Config.Inputs {
		input := &d.Config.Inputs[i]
		if input.Name() != "tail" {
			continue
		}
		files := d.files(input)
		if section := d.evaluates(routes[i]); section != nil && len(files) > 0 {
			all = d.sampled(all, section, files[0], func(path string) ([]byte, error) { return d.tailed(input, path) })
		}
	}
	return all
}

// evaluates returns the section with waf that gets the records of an input.
func (d *Doctor) evaluates(r route) *fluentbit.Section {
	for i := range r.input.Processors {
		if r.input.Processors[i].Name() == "waf" {
			return &r.input.Processors[i]
		}
	}
	for _, list := range [][]fluentbit.Section{d.Config.Filters, d.Config.Outputs} {
		for i := range list {
			if list[i].Name() == "waf" && list[i].Matches(r.tag) {
				return &list[i]
			}
		}
	}
	return nil
}

// sampled adds a section with the records of a file.
func (d *Doctor) sampled(all []*subject, section *fluentbit.Section, path string, read func(path string) ([]byte, error)) []*subject {
	records, err := read(path)
	if err != nil {
		d.find("sample", Fail, "", "%s: %v", path, err)
		return all
	}
	s := &subject{section: section, path: path, records: records, sample: &sample.Sample{}}
	if err := s.sample.Lines(bytes.NewReader(records)); err != nil {
		d.find("sample", Fail, "", "%s: %v", path, err)
		return all
	}
	return append(all, s)
}

// given reads a file of records.
func (d *Doctor) given(path string) ([]byte, error) {
	in, err := d.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, sampleSize))
}

// tailed reads the end of a log, and makes the records of it that the input makes.
func (d *Doctor) tailed(input *fluentbit.Section, path string) ([]byte, error) {
	text, err := endOf(path)
	if err != nil {
		return nil, err
	}
	if name := input.Get("parser"); name != "" && !strings.Contains(strings.ToLower(name), "json") {
		d.find("sample", Warn, "pass records as written by output stdout or file as second argument to check them as parsed",
			"%s: records are checked without the parser %s", input.Find("parser").Place, name)
	}
	lines := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	lines = lines[max(0, len(lines)-sample.MaxRecords):]
	var out bytes.Buffer
	for _, line := range lines {
		out.Write(inputRecord(input, line))
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// endOf returns the last lines of a file.
func endOf(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	start := max(0, info.Size()-tailSize)
	text, err := io.ReadAll(io.LimitReader(io.NewSectionReader(file, start, tailSize), tailSize))
	if at := bytes.IndexByte(text, '\n'); start > 0 && at >= 0 {
		text = text[at+1:]
	}
	return text, err
}

var containerHead = regexp.MustCompile(`^(\S+) (stdout|stderr) ([FP]) `)

// inputRecord returns what tail makes of a line, as JSON.
func inputRecord(input *fluentbit.Section, line []byte) []byte {
	parser := strings.ToLower(input.Get("parser") + " " + input.Get("multiline.parser"))
	trimmed := bytes.TrimRight(line, "\r")
	record := map[string]string{orText(input.Get("key"), "log"): strings.ToValidUTF8(string(trimmed), "\uFFFD")}
	switch m := containerHead.FindSubmatch(trimmed); {
	case strings.Contains(parser, "cri") && m != nil:
		record = map[string]string{"time": string(m[1]), "stream": string(m[2]), "log": strings.ToValidUTF8(string(trimmed[len(m[0]):]), "\uFFFD")}
	case (strings.Contains(parser, "docker") || strings.Contains(parser, "json")) && json.Valid(trimmed):
		return trimmed
	}
	text, err := json.Marshal(record)
	if err != nil {
		return trimmed
	}
	return text
}

// choice returns the field maps of a section, the default ones when they cannot be read, which properties reports.
func (d *Doctor) choice(s *fluentbit.Section) *fieldmap.Choice {
	c, err := fieldmap.Open(orText(s.Get("field_map"), "auto"))
	if err != nil {
		c, err = fieldmap.Open("auto")
	}
	if err != nil {
		panic(err) // the built-in maps are read
	}
	return c
}

// fieldMap checks that the records are read as transactions. It reports whether some are.
func (d *Doctor) fieldMap(s *subject) bool {
	if err := s.sample.Err(); err != nil {
		advice := "wafctl map " + s.path + " shows how records are read"
		if s.section.Get("field_map") != "" {
			advice += "; field_map: auto tries all"
		}
		d.find("field map", Fail, advice, "%s: %v", s.path, err)
		return false
	}
	level, advice := OK, ""
	if other := s.sample.Records - s.sample.HTTP; other > s.sample.HTTP {
		level, advice = Warn, "wafctl map "+s.path+" shows how records are read"
	}
	d.find("field map", level, advice, "%d of %d records of %s are HTTP, read with the map %s", s.sample.HTTP, s.sample.Records, s.path, s.sample.Map.Name)
	if s.sample.Clients == 0 {
		d.find("field map", Warn, "log it, or map it to client.ip", "alerts will lack the client address: the records do not have it")
	}
	if s.sample.Hosts == 0 {
		d.find("field map", Warn, "log it; for a log of a single site, use wafctl init --host NAME", "alerts will lack the host: the records do not have it")
	}
	return true
}

const (
	skew      = 2 * time.Minute  // that clocks and buffers may differ by
	fresh     = 10 * time.Minute // since the last line of a log that is being written
	zoneStep  = 15 * time.Minute // zones differ by multiples of it
	farthest  = 14 * time.Hour   // a zone is from UTC
	firstYear = 2000
)

// clock compares the time of the last record with the clock of this machine, or with when the file was written.
func (d *Doctor) clock(s *subject) {
	text := s.sample.Times.Last
	if text == "" {
		d.find("clock", OK, "", "records have no time and get their time of arrival")
		return
	}
	at, ok := logtime.Parse(text, nil)
	if !ok {
		d.find("clock", Warn, "map another key to time", "unknown time format %q: records get their time of arrival", text)
		return
	}
	now := d.Now()
	reference, what := now, "the clock of this machine"
	if info, err := os.Stat(s.path); err == nil && now.Sub(info.ModTime()) > fresh {
		reference, what = info.ModTime(), "when the file was written"
	}
	difference := at.Sub(reference)
	rest := (difference.Abs() + zoneStep/2) % zoneStep
	switch {
	case at.Year() < firstYear || at.Year() > now.Year()+1:
		d.find("clock", Fail, "map a key with seconds, milliseconds, microseconds or nanoseconds since 1970 to time", "the time %q is read as %s: wrong unit?", text,
			at.UTC().Format(time.DateOnly))
	case difference.Abs() <= skew:
		d.find("clock", OK, "", "the last record is %s from %s", rounded(difference.Abs()), what)
	case difference.Abs() <= farthest+skew && difference.Abs() > zoneStep-skew && (rest-zoneStep/2).Abs() <= skew && !hasZone(text):
		d.find("clock", Warn, "log UTC, or the time zone; the input nano has time_zone",
			"the last record, %q, is %s %s %s: a local time without a zone is read as UTC", text, rounded(difference.Abs()), sideOf(difference), what)
	case difference > 0:
		d.find("clock", Warn, "synchronize the clocks (NTP)", "the last record, %q, is %s ahead of %s", text, rounded(difference), what)
	case reference.Equal(now):
		d.find("clock", Warn, "synchronize the clocks (NTP), unless records are delayed", "the last record, %q, is %s behind %s", text, rounded(-difference), what)
	default:
		d.find("clock", OK, "", "the last record is of %s", at.UTC().Format(time.DateTime))
	}
}

func sideOf(difference time.Duration) string {
	if difference > 0 {
		return "ahead of"
	}
	return "behind"
}

func rounded(d time.Duration) string { return setting.Time(d.Round(time.Second)) }

var zoned = regexp.MustCompile(`(?:Z|[+-]\d\d:?\d\d|[A-Z]{3,4})\]?$`)

// hasZone reports whether a time names its zone, or is a number, which needs none.
func hasZone(text string) bool {
	return zoned.MatchString(text) || !strings.ContainsAny(text, ":-/")
}

// alarms evaluates the sample.
func (d *Doctor) alarms(ctx context.Context, s *subject) {
	if d.broken[s.section] {
		d.find("alarms", Warn, "correct them first", "not checked: %s has invalid properties", s.section.Title())
		return
	}
	found, err := d.Evaluate(ctx, quiet(s.section, filter.Properties()), bytes.NewReader(s.records))
	switch {
	case errors.Is(err, context.Canceled):
		return
	case err != nil:
		d.find("alarms", Warn, s.command("check"), "the sample cannot be evaluated: %v", err)
		return
	case found.Alerts == 0:
		d.find("alarms", OK, "", "none of %d records alerts", found.Records)
		return
	}
	text := fmt.Sprintf("%d of %d records alert", found.Alerts, found.Records)
	if found.Attacks > 0 {
		text += fmt.Sprintf(", %d of them with signs of an attack", found.Attacks)
	}
	if found.Attacks == found.Alerts {
		d.find("alarms", OK, s.command("check")+" shows them", "%s", text)
		return
	}
	d.find("alarms", Warn, d.exclude(s, found), "%s", text)
}

// deciding are the properties, besides those of rules, on which verdicts depend.
var deciding = []string{"field_map", "trusted_proxies", "alert_on"}

// plainWord is a word that a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:,=+@%-]+$`)

// command returns a command of wafctl on the sample, with the settings of the section.
func (s *subject) command(name string) string {
	words := []string{"wafctl", name}
	for _, p := range s.section.Properties {
		key := strings.ToLower(p.Key)
		ofRules := slices.ContainsFunc(rules.Properties(), func(r setting.Property) bool { return r.Name == key })
		if ofRules || slices.Contains(deciding, key) {
			words = append(words, "--"+strings.ReplaceAll(key, "_", "-"), quoted(p.Value))
		}
	}
	return strings.Join(append(words, quoted(s.path)), " ")
}

// quoted returns a text as one word of a shell.
func quoted(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// maxExclusions is how many are written out.
const maxExclusions = 5

// exclude proposes how to get rid of false positives.
func (d *Doctor) exclude(s *subject, found Alarms) string {
	advice := s.command("check") + " shows them"
	if n := len(found.Exclusions); n > 0 && n <= maxExclusions {
		list := strings.Join(found.Exclusions, ",")
		if before := s.section.Get("exclude_rules"); before != "" {
			list = before + "," + list
		}
		return advice + "; if they are harmless, set exclude_rules: '" + list + "'"
	}
	return advice + "; if they are harmless, use the exclusions of " + s.command("tune") + " proposes"
}
