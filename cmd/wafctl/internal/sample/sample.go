// Package sample looks at a few records of a source. It finds out which field map reads them, and which parts of a
// transaction they have. Commands that write or check a pipeline base their advice on it.
package sample

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Bounds of a sample.
const (
	MaxRecords = 1000
	maxLine    = 16 << 20
)

// Wrapper is what stands around each line of a file.
type Wrapper string

// What container runtimes put around a line.
const (
	Bare   Wrapper = ""
	CRI    Wrapper = "cri"    // time, stream and tag in front of it
	Docker Wrapper = "docker" // an object in JSON with log, stream and time
)

// Sample is what was found in some records.
type Sample struct {
	Events  []byte // of the records, in the order of their arrival
	Records int
	HTTP    int // records that are HTTP transactions
	Broken  int // lines that are neither JSON nor a line of text
	Wrapper Wrapper
	Columns bool // a directive says what the columns of lines are

	Map   *fieldmap.Map  // that read most of the records, nil when none did
	ByMap map[string]int // records by map
	Looks string         // of the first record that is not HTTP

	Unknown rules.Parts // parts that no record tells
	Others  bool        // some records have request headers that logs have no common name for
	Answers bool        // some records have response headers
	Hosts   int         // records that name the host asked for
	Clients int         // records with the address of the client
	Times   Times
}

// Times are those that records have, as far as they have any.
type Times struct {
	First, Last string // as the records write them
}

// Lines takes records from a text with one a line.
func (s *Sample) Lines(in io.Reader) error {
	lines := intake.NewLines(in, maxLine)
	var decoder intake.Decoder
	for s.Records < MaxRecords {
		block, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if decoder.Plain == intake.NoPlain {
			decoder.Plain = intake.PlainOf(block.Text)
		}
		for _, line := range block.All() {
			if s.Records == MaxRecords {
				break
			}
			s.line(&decoder, line)
		}
	}
	return nil
}

var containerLine = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\S+ (?:stdout|stderr) [FP] `)

func (s *Sample) line(d *intake.Decoder, line []byte) {
	if s.Records == 0 {
		s.Wrapper = wrapperOf(line)
	}
	s.Columns = s.Columns || bytes.HasPrefix(line, []byte("#Fields:"))
	events, records, err := d.AppendEvents(nil, line, time.Now())
	if err != nil {
		s.Broken++
	}
	s.Events = append(s.Events, events...)
	s.Records += records
}

func wrapperOf(line []byte) Wrapper {
	if containerLine.Match(line) {
		return CRI
	}
	var object struct{ Log, Stream, Time *string }
	if json.Unmarshal(line, &object) == nil && object.Log != nil && object.Stream != nil && object.Time != nil {
		return Docker
	}
	return Bare
}

// Add takes records that are events already.
func (s *Sample) Add(events []byte, records int) {
	s.Events = append(s.Events, events...)
	s.Records += records
}

// Read reads the records with field maps.
func (s *Sample) Read(choice *fieldmap.Choice) {
	s.ByMap, s.Unknown = map[string]int{}, rules.AllParts
	var values fieldmap.Values
	for rest := s.Events; len(rest) > 0; {
		event, behind, err := record.Next(rest)
		if err != nil {
			return // the decoder writes whole events only
		}
		rest = behind
		s.record(choice, &values, event.Meta, event.Body)
	}
	most := 0
	for _, m := range choice.Maps() {
		if n := s.ByMap[m.Name]; n > most {
			most, s.Map = n, m
		}
	}
}

// record reads one record, or those inside it.
func (s *Sample) record(choice *fieldmap.Choice, values *fieldmap.Values, meta, body []byte) {
	i := choice.Read(meta, body, values)
	if i == fieldmap.Several {
		for _, one := range values.OwnRequests() {
			s.record(choice, values, meta, one)
		}
		return
	}
	var t rules.Transaction
	if i < 0 || !values.Transaction(&t) {
		if s.Looks == "" {
			s.Looks = filter.DescribeKeys(body)
		}
		return
	}
	s.HTTP++
	s.ByMap[choice.Maps()[i].Name]++
	s.Unknown &= t.Unknown
	s.Others = s.Others || slices.ContainsFunc(t.RequestHeaders, func(h rules.Header) bool { return !isNamed(h.Name) })
	s.Answers = s.Answers || len(t.ResponseHeaders) > 0
	if t.Unknown&rules.PartHostName == 0 {
		s.Hosts++
	}
	if t.ClientIP != "" {
		s.Clients++
	}
	if at := values.Get(fieldmap.Time); at != "" {
		s.Times.Last = strings.Clone(at)
		if s.Times.First == "" {
			s.Times.First = s.Times.Last
		}
	}
}

// isNamed reports whether a header is one of those that logs have a name for.
func isNamed(header string) bool {
	return slices.ContainsFunc([]string{"Host", "User-Agent", "Referer", "Cookie"}, func(name string) bool {
		return bytes.EqualFold([]byte(header), []byte(name))
	})
}

// Absent returns the parts of which no record has anything.
func (s *Sample) Absent() rules.Parts {
	absent := s.Unknown &^ (rules.PartEscapes | rules.PartBodyEnd | rules.PartResponseEnd)
	if s.Others {
		absent &^= rules.PartUnnamedHeaders
	}
	if s.Answers {
		absent &^= rules.PartResponseHeader
	}
	if s.Unknown&rules.PartHostName == 0 {
		absent &^= rules.PartHost
	}
	return absent
}

// Declared returns what is known of records that a map reads, without having seen one.
func Declared(m *fieldmap.Map) *Sample {
	absent := m.Absent()
	return &Sample{
		Map: m, Unknown: m.Unknown(), Others: absent&rules.PartUnnamedHeaders == 0, Answers: absent&rules.PartResponseHeader == 0,
	}
}

// Err explains why a sample is of no use, nil when it has HTTP transactions.
func (s *Sample) Err() error {
	switch {
	case s.HTTP > 0:
		return nil
	case s.Records == 0 && s.Broken > 0:
		return fmt.Errorf("no record: %d lines are neither JSON nor lines of text", s.Broken)
	case s.Records == 0:
		return errors.New("no record: the source is empty")
	}
	return fmt.Errorf("no HTTP transaction in %d records. The first one %s", s.Records, s.Looks)
}
