package digest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// mergerState is what a merger knows besides its correlator.
type mergerState struct {
	Nodes   map[uint64]*node `json:"nodes"`
	Streams []*stream        `json:"streams,omitempty"`
	Windows []byte           `json:"windows"` // that wait, encoded
	Newest  int64            `json:"newest"`
	Done    int64            `json:"done"`
	Turn    uint64           `json:"turn"`
	Counts  Counts           `json:"counts"`
}

// Keep puts the state of the merger beside that of its correlator, which is to be saved next.
func (m *Merger) Keep() error {
	s := mergerState{Nodes: m.nodes, Streams: m.streams, Windows: encode(m.windows), Newest: m.newest, Done: m.done, Turn: m.turn, Counts: m.counts}
	text, err := json.Marshal(&s)
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	m.correlator.Beside = text
	return nil
}

// restore goes on where the merger stopped whose state was saved with the correlator, if it was one.
func (m *Merger) restore(state []byte) {
	m.came = time.Now()
	var s mergerState
	if len(state) == 0 || json.Unmarshal(state, &s) != nil {
		return
	}
	windows, err := decode(s.Windows)
	if err != nil {
		return
	}
	m.newest, m.done, m.turn, m.counts = s.Newest, s.Done, s.Turn, s.Counts
	for name, n := range s.Nodes {
		if n != nil && len(m.nodes) < mostNodes {
			m.nodes[name] = n
		}
	}
	for _, known := range s.Streams {
		if known != nil && len(m.streams) < mostStreams && len(known.Partitions) <= mostPartitions && !slices.Contains(known.Partitions, nil) {
			known.came = m.came
			for _, p := range known.Partitions {
				p.came = m.came
			}
			m.streams = append(m.streams, known)
		}
	}
	for at, w := range windows {
		m.put(at, w)
	}
}

// unsentHead is how a file of digests starts that were not sent.
const unsentHead = `{"` + Key + `":`

// CheckFile returns why a file can keep neither the state of incidents nor digests that were not sent, nil when it can.
func CheckFile(path string) error { return incident.CheckFile(path, unsentHead) }

// SaveUnsent writes digests to a file, for a node that ends before it could send them.
func SaveUnsent(path string, digests [][]byte) error {
	text, err := json.Marshal(map[string][][]byte{Key: digests})
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	return incident.Save(path, text)
}

// LoadUnsent returns the digests in a file, none when it is not there. They may have been sent: who gets them again can tell. A file that
// cannot be used is set aside, as by incident.Load.
func LoadUnsent(path string) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var kept map[string][][]byte
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return nil, incident.SetAside(path, fmt.Errorf("digests that were not sent: %w", err))
	}
	return kept[Key], nil
}
