package pipeline

import (
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
)

// Section digests the records of a span of a stream, apart from others. It is for one goroutine.
type Section struct {
	digest *digest.Section
	owner  *correlation
	writer *alertWriter
}

// NewSection returns an empty section, nil where no digests are sent.
func (p *Pipeline) NewSection() *Section {
	c := p.inspector.correlation
	if c == nil || c.digests == nil {
		return nil
	}
	return &Section{digest: digest.NewSection(), owner: c, writer: p.inspector.writer}
}

// Seal returns the digest of a span. Digests with the same key are to stay in order.
func (s *Section) Seal(span digest.Span, key string) []Emit {
	packed, err := s.digest.Seal(span, s.owner.salt)
	if err != nil {
		s.owner.log(telemetry.LevelWarn, err.Error())
		return nil
	}
	s.owner.mu.Lock()
	s.owner.digests.sent++
	s.owner.digests.inSections += s.digest.Records()
	s.owner.mu.Unlock()
	e := s.writer.emitDigest(packed)
	e.source = key
	return []Emit{e}
}

// DigestEvery returns how much time digests sum up.
func (p *Pipeline) DigestEvery() time.Duration { return p.inspector.correlation.every }

// HoldState has SaveState alone save the state of incident detection: not the time, nor Close. It reports whether there is one to save.
func (p *Pipeline) HoldState() bool {
	c := p.inspector.correlation
	if c == nil || c.state == "" || c.digests != nil {
		return false
	}
	c.isHeld.Store(true)
	return true
}

// SaveState saves the state of incident detection, and reports whether it could.
func (p *Pipeline) SaveState() bool { return p.inspector.correlation.save() }

// Digests returns how many digests came, with those that had come before.
func (p *Pipeline) Digests() uint64 {
	n := p.inspector.correlation.digestCounts()
	return n["merged"] + n["repeated"]
}
