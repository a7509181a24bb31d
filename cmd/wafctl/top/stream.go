package top

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/frequent"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Stream is what is found in records, as they are evaluated. Its methods may be called from any goroutine.
type Stream struct {
	title    string
	progress func() (read, size int64) // of a file that has an end to come to; nil otherwise

	mu         sync.Mutex
	since      time.Time
	records    map[string]uint64
	partial    uint64
	alerts     uint64
	levels     map[string]uint64
	ends       map[string]uint64
	attackers  *frequent.Counter[string]
	targets    *frequent.Counter[string]
	rules      *frequent.Counter[string]
	categories *frequent.Counter[string]
	ended      bool
	warning    string
}

const notHTTP = "not HTTP"

// maxNames bounds how many attackers, targets and rules are kept.
const maxNames = 2000

// NewStream returns a stream without records. The progress may be nil.
func NewStream(title string, progress func() (read, size int64)) *Stream {
	s := &Stream{title: shown(title), progress: progress, since: time.Now(),
		records: map[string]uint64{}, levels: map[string]uint64{}, ends: map[string]uint64{}}
	for _, list := range []**frequent.Counter[string]{&s.attackers, &s.targets, &s.rules, &s.categories} {
		*list = frequent.New[string](maxNames)
	}
	return s
}

// Add counts a record by what was found in it.
func (s *Stream) Add(f *filter.Finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(f.Partial.Names()) > 0 {
		s.partial++
	}
	switch f.Kind {
	case filter.Alert:
		s.records["alert"]++
		s.alert(f.Alert.Details)
	case filter.NotHTTP:
		s.records[notHTTP]++
	case filter.Clean:
		s.records["clean"]++
	default:
		s.records["broken"]++
	}
}

// AddBroken counts a line that is no record.
func (s *Stream) AddBroken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records["broken"]++
}

func (s *Stream) alert(a *alert.Alert) {
	s.alerts++
	level := rules.SeverityName(a.Severity)
	s.levels[level]++
	s.ends[string(a.Outcome)]++
	about := strings.ToUpper(level) + "  " + a.Rule().Message
	*s.attackers.Add(shown(cmp.Or(a.ClientIP, "?"))) = about
	*s.targets.Add(shown(target(a))) = about
	for _, category := range a.Categories() {
		s.categories.Add(shown(category))
	}
	seen := map[int]bool{}
	for i := range a.Matches {
		m := &a.Matches[i]
		if !seen[m.Rule.ID] {
			seen[m.Rule.ID] = true
			*s.rules.Add(strconv.Itoa(m.Rule.ID)) = m.Message
		}
	}
}

// target names what was attacked: the host, and the path without its query.
func target(a *alert.Alert) string {
	path, _, _ := strings.Cut(a.URI, "?")
	if at := strings.Index(path, "://"); at >= 0 { // as a proxy gets it
		_, path, _ = strings.Cut(path[at+3:], "/")
		path = "/" + path
	}
	return cmp.Or(a.ServerName, a.ServerIP) + path
}

// Warn keeps a line that is shown until the next one.
func (s *Stream) Warn(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warning = shown(line)
}

// End says that no more records come, because of an error unless that is nil.
func (s *Stream) End(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if err != nil {
		s.warning = shown(err.Error())
	}
}

// Title implements Source.
func (s *Stream) Title() string { return s.title }

// Read implements Source.
func (s *Stream) Read(context.Context) (*Reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Reading{
		At: time.Now(), Since: s.since, Records: counts(s.records), Alerts: s.alerts, Levels: counts(s.levels), Ends: counts(s.ends),
		Missed: sorted([]Count{{"broken", s.records["broken"]}, {"in part", s.partial}}), Ended: s.ended, Note: s.warning, State: s.state(),
		Lists: []List{list("Attackers", s.attackers), list("Targets", s.targets), list("Rules", s.rules), list("Categories", s.categories)},
	}
	if s.ended {
		r.Since = time.Time{} // how fast records were read says nothing of their traffic
	}
	return r, nil
}

// state says how far the stream has been read.
func (s *Stream) state() string {
	if s.ended {
		return "ended"
	}
	if s.progress == nil {
		return "reading"
	}
	read, size := s.progress()
	if read >= size {
		return "following"
	}
	return strconv.FormatInt(100*read/size, 10) + " % read"
}

func counts(of map[string]uint64) (all []Count) {
	for name, n := range of {
		all = append(all, Count{shown(name), n})
	}
	return sorted(all)
}

func list(title string, of *frequent.Counter[string]) List {
	l := List{Title: title, Lack: uint64(of.Missed())}
	for _, e := range of.Top(maxRows + 1) {
		l.Rows = append(l.Rows, Row{e.Name, shown(e.Data), uint64(e.Count)})
	}
	return l.bound()
}
