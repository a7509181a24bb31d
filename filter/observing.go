package filter

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// NewObserving is New for records from files: Check returns what each contributes to incidents, at the time that it names, and the
// correlator makes incidents of that.
func NewObserving(get setting.Getter, log Logger) (*Filter, *incident.Correlator, error) {
	reader := setting.NewReader(get, Properties())
	c := readConfig(reader)
	options := c.pipeline.ForFiles()
	f, err := open("", nil, reader, c, log)
	if err != nil {
		return nil, nil, err
	}
	return f, incident.New(options), nil
}
