package filter

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// FuzzProperties gives any property any value: it is taken, or refused under its name.
func FuzzProperties(f *testing.F) {
	all := append(Properties(), onlyOutput...)
	for i, p := range all {
		f.Add(uint(i), p.Default)
		for _, value := range []string{"", "-1", "99999999999999999999", "1e9", "10M", "a,b,,", "\x00", "$TAG[99999999999]", "(", "on off"} {
			f.Add(uint(i), value)
		}
	}
	f.Fuzz(func(t *testing.T, which uint, value string) {
		name := all[which%uint(len(all))].Name
		reader := setting.NewReader(setting.Map{name: value}, all)
		readConfig(reader)
		rules.ReadConfig(reader)
		reader.Text("alert_to")
		if err := reader.Err(); err != nil {
			require.ErrorContains(t, err, name)
		}
	})
}
