package kafka

import (
	"fmt"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Help explains how topics are written, as plain text of at most 100 columns.
func Help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "And topics of Kafka, for --listen and --alert-to:\n\n  %s, and kafka+tls:// over TLS\n", Form)
	own := func(all []setting.Property) []setting.Property { return all[:len(all)-len(securityOptions)] }
	for _, group := range []struct {
		of      string
		options []setting.Property
	}{{"--listen", own(ConsumerOptions())}, {"--alert-to", own(ProducerOptions())}, {"both", securityOptions}} {
		fmt.Fprintf(&b, "\n  Of %s:\n", group.of)
		for _, p := range group.options {
			text := p.Help
			if len(p.Values) > 0 {
				text += ": " + setting.Choice(p.Values)
			}
			fmt.Fprintf(&b, "    %-24s %s\n", strings.TrimSuffix(p.Name+"="+p.Default, "="), text)
		}
	}
	return b.String()
}
