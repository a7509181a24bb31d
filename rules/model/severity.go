package model

// Severity is how grave a match is, in ModSecurity's numbers: 0 is an emergency, 7 a debug message.
type Severity int

// The severities that rules name.
const (
	SeverityEmergency Severity = iota
	SeverityAlert
	SeverityCritical
	SeverityError
	SeverityWarning
	SeverityNotice
	SeverityInfo
	SeverityDebug

	SeverityUnset Severity = -1 // the rule names none
)

var severityNames = [...]string{"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"}

// String returns the severity's name, for instance critical.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return "unknown"
	}
	return severityNames[s]
}

// SeverityName returns the name of a severity in ModSecurity's numbers, for instance critical for 2.
func SeverityName(number int) string { return Severity(number).String() }
