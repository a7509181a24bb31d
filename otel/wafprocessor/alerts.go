package wafprocessor

import (
	"cmp"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/otel/wafprocessor/internal/metadata"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// addAlert adds an alert, or an event about an incident, behind the other records of its resource.
func (p *wafProcessor) addAlert(f *filter.Filter, b *batch, e *filter.Emit) {
	of := b.records[0]
	if e.Origin > 0 {
		of = b.records[e.Origin-1]
	}
	to := of.origin.addRecord()
	if e.Origin > 0 {
		to.SetTraceID(of.TraceID())
		to.SetSpanID(of.SpanID())
		to.SetFlags(of.Flags())
		for name, value := range of.Attributes().All() {
			if isVerdict(name, p.alertKey) {
				value.CopyTo(to.Attributes().PutEmpty(name))
			}
		}
	}
	if err := p.write(to, e, of.LogRecord); err != nil {
		panic(err)
	}
	f.EmitTaken(e)
}

// addRecord adds a record under the processor's scope.
func (o *origin) addRecord() plog.LogRecord {
	if !o.has {
		o.alerts, o.has = newScope(o.logs), true
	}
	return o.alerts.AppendEmpty()
}

func newScope(logs plog.ResourceLogs) plog.LogRecordSlice {
	scope := logs.ScopeLogs().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	scope.Scope().SetVersion(filter.Version)
	return scope.LogRecords()
}

// write writes an alert into a record. It copies what is in the record that the alert is about, without secrets, when alerts are copies.
func (p *wafProcessor) write(to plog.LogRecord, e *filter.Emit, of plog.LogRecord) error {
	to.SetTimestamp(pcommon.NewTimestampFromTime(e.Time))
	to.SetObservedTimestamp(of.ObservedTimestamp())
	to.SetSeverityNumber(severities[min(max(e.Severity, 0), len(severities)-1)])
	to.SetSeverityText(rules.SeverityName(e.Severity))
	to.SetEventName(e.Tag)
	event, _, err := record.Next(e.Event)
	if err != nil {
		return err
	}
	body := event.Body
	if p.copies {
		if e.Origin > 0 {
			return p.copyRecord(to, body, of)
		}
		if verdict := record.Get(body, p.copyKey()); verdict != nil { // of a summary
			if err := putVerdict(to.Attributes(), p.copyKey(), verdict); err != nil {
				return err
			}
			body = record.AppendMapWith(nil, body, p.copyKey(), nil)
		}
	}
	if p.format == alert.CEF {
		if line := record.Get(body, "message"); line != nil {
			return setValue(to.Body(), line, 0)
		}
	}
	return setValue(to.Body(), body, 0)
}

// copyKey is where a copied record holds its verdict.
func (p *wafProcessor) copyKey() string { return cmp.Or(p.alertKey, recordKey) }

// copyRecord writes the fields of a copied record to where they were: into the attributes or the body.
func (p *wafProcessor) copyRecord(to plog.LogRecord, fields []byte, of plog.LogRecord) error {
	key, isMap := p.copyKey(), of.Body().Type() == pcommon.ValueTypeMap
	body := pcommon.Map{}
	if isMap {
		body = to.Body().SetEmptyMap()
	}
	for pairs, _ := record.ReadMap(fields); pairs.Next(); {
		name := string([]byte(pairs.Key)) // a view of the alert's memory
		if name == key {
			if err := putVerdict(to.Attributes(), key, pairs.Value); err != nil {
				return err
			}
			continue
		}
		var value pcommon.Value
		switch {
		case isMap && hasKey(of.Body().Map(), name):
			value = body.PutEmpty(name)
		case !isMap && name == bodyKey && of.Body().Type() != pcommon.ValueTypeEmpty:
			value = to.Body()
		case !hasKey(of.Attributes(), name): // the resource or the record has it in a place of its own
			continue
		default:
			value = to.Attributes().PutEmpty(name)
		}
		if err := setValue(value, pairs.Value, 0); err != nil {
			return err
		}
	}
	return nil
}

// severities are OpenTelemetry's by syslog's, as the data model of logs maps them.
var severities = [...]plog.SeverityNumber{
	plog.SeverityNumberFatal, plog.SeverityNumberError3, plog.SeverityNumberError2, plog.SeverityNumberError,
	plog.SeverityNumberWarn, plog.SeverityNumberInfo2, plog.SeverityNumberInfo, plog.SeverityNumberDebug,
}
