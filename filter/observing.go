package filter

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// forever is how long digests in files wait for those of other nodes: their order in files says nothing.
const forever = 1 << 62

// NewObserving is New for records from files: Check returns what each contributes to incidents, at the time that it names, or the digest
// that it holds. The merger has its correlator make incidents of digests; that of observations is up to the caller.
func NewObserving(host *Host, get setting.Getter, log Logger) (*Filter, *digest.Merger, error) {
	reader := setting.NewReader(get, Properties())
	c := readConfig(reader)
	options := c.pipeline.ForFiles()
	f, err := open("", host, reader, c, log)
	if err != nil {
		return nil, nil, err
	}
	return f, digest.NewMerger(incident.New(options), options.Thresholds.Salt, forever), nil
}
