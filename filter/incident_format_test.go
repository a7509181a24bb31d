package filter

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// chainOfThree are the events about an attacker who comes from outside, and moves on to two services.
func chainOfThree() (events []*incident.Incident) {
	c := incident.New(incident.Options{})
	at := int64(1_760_000_000_000)
	take := func(more []*incident.Incident) {
		for _, e := range more {
			if n := len(events); n > 0 && e.Status == incident.Update && events[n-1].Status == incident.Update {
				events[n-1] = e
				continue
			}
			events = append(events, e)
		}
	}
	ask := func(source, target, host string, attack *incident.Attack) {
		o := &incident.Observation{Time: at, Source: source, Internal: !strings.HasPrefix(source, "198."), Target: target, TargetHost: host, Method: "POST",
			Path: "/api/orders/17?x=a|b=c", Status: 200, Attack: attack}
		take(c.Observe(o).Events)
		at += 20_000
	}
	attack := func(id int, category string) *incident.Attack {
		return &incident.Attack{Values: uint64(id), Rules: []incident.Rule{{ID: id, Category: category, Techniques: []string{"T1190"}}},
			Show: func() incident.Sample {
				return incident.Sample{Alert: "0123456789abcdef", Method: "POST", URI: "/api/orders/17?x=[redacted]|b", Message: "Remote Command | Execution: \\ é\n", Outcome: "attempted"}
			}}
	}
	ask("10.2.0.7", "web/shop", "10.2.0.9", nil)
	at += 25 * 3600 * 1000
	for range 4 {
		ask("10.2.0.7", "web/shop", "10.2.0.9", nil)
	}
	ask("198.51.100.7", "web/shop", "10.2.0.7", attack(932160, "rce"))
	ask("10.2.0.7", "web/orders", "10.2.0.8", attack(932160, "rce"))
	ask("10.2.0.8", "db/store", "10.2.0.9", attack(942100, "sqli"))
	take(c.Flush())
	return events
}

func TestAnIncidentIsAnEventInEveryFormat(t *testing.T) {
	events := chainOfThree()
	require.Len(t, events, 3)
	for n, status := range []incident.Status{incident.Open, incident.Update, incident.Closed} {
		require.Equal(t, status, events[n].Status)
		require.Equal(t, events[0].ID, events[n].ID)
		for _, name := range alert.Formats() {
			f := alert.Format(name)
			t.Run(name+" "+string(status), func(t *testing.T) {
				text := string(alert.JSON(alert.AppendIncident(nil, events[n], f)))
				if f == alert.CEF {
					text = alert.IncidentLine(events[n])
				}
				switch f {
				case alert.OCSF:
					value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
					require.NoError(t, err)
					require.NoError(t, schema(t, "ocsf-incident").Validate(value), text)
				case alert.Record, alert.ModSecurity:
					f = alert.MSA
					fallthrough
				default:
					requireValid(t, f, text)
				}
				golden(t, "testdata/incident-"+string(f)+"-"+string(status)+".txt", indented(t, text))
			})
		}
	}
}
