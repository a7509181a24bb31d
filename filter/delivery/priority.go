package delivery

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// The names of facilities and severities by number, as RFC 5427 has them.
var (
	facilities = []string{
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"ntp", "audit", "console", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}
	severities = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
)

// level returns the number of a name, or of a number in text.
func level(text string, levels []string) (int, error) {
	if i := slices.Index(levels, strings.ToLower(text)); i >= 0 {
		return i, nil
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < len(levels) {
		return n, nil
	}
	return 0, fmt.Errorf("unknown value %q (want %s, or 0 to %d)", text, setting.Choice(levels), len(levels)-1)
}

// severityOf returns the severity of a message, in bounds.
func severityOf(m *Message) int { return max(0, min(m.Severity, len(severities)-1)) }
