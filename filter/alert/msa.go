package alert

import (
	"strconv"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
)

// msaEngine is what ModSecurity for Anylog writes as alert_engine; receivers select its alerts by it.
const msaEngine = "modsecurity"

// AppendMSA appends the flat alert of ModSecurity for Anylog: all values are texts, the order is fixed, and the four payload
// fields come last when they are asked for.
func (a *Alert) AppendMSA(dst []byte, payload bool) []byte {
	v, m := a.Values, a.Rule()
	n := uint32(19)
	if payload {
		n += 4
	}
	dst = msgp.AppendMapHeader(dst, n)
	dst = appendPair(dst, "rule_id", strconv.Itoa(m.Rule.ID))
	dst = appendPair(dst, "alert_engine", msaEngine)
	dst = appendPair(dst, "time", a.timeText())
	dst = appendPair(dst, "message", v.Get(fieldmap.Message))
	dst = appendPair(dst, "forward", v.Get(fieldmap.Forward))
	dst = appendPair(dst, "retcode", a.status())
	dst = appendPair(dst, "source", v.Get(fieldmap.Source))
	dst = appendPair(dst, "src_ip", v.Get(fieldmap.ClientIP))
	dst = appendPair(dst, "dst_ip", v.Get(fieldmap.ServerIP))
	dst = appendPair(dst, "geoip", v.Get(fieldmap.Geo))
	dst = appendPair(dst, "src_port", v.Get(fieldmap.ClientPort))
	dst = appendPair(dst, "dst_port", v.Get(fieldmap.ServerPort))
	dst = appendPair(dst, "host", v.Get(fieldmap.Sensor))
	dst = appendPair(dst, "domain", a.domain())
	dst = appendPair(dst, "url", a.Transaction.URI)
	dst = appendPair(dst, "method", a.Transaction.Method)
	dst = appendPair(dst, "msg", m.Message)
	dst = appendPair(dst, "matched", m.Wording())
	dst = appendPair(dst, "severity", strconv.Itoa(m.Severity()))
	if payload {
		dst = appendPair(dst, "req_header", v.Get(fieldmap.RequestHead))
		dst = appendPair(dst, "req_body", v.Get(fieldmap.RequestBody))
		dst = appendPair(dst, "rsp_header", v.Get(fieldmap.ResponseHead))
		dst = appendPair(dst, "rsp_body", v.Get(fieldmap.ResponseBody))
	}
	return dst
}

const secondsLayout = "2006-01-02 15:04:05"

// timeText returns the begin of the transaction without fractions; a record without one has the event's time in UTC.
func (a *Alert) timeText() string {
	begin := a.Values.Get(fieldmap.Time)
	if len(begin) > len(secondsLayout) && begin[len(secondsLayout)] == '.' {
		return begin[:len(secondsLayout)]
	}
	if begin != "" {
		return begin
	}
	return a.Time().UTC().Format(secondsLayout)
}

// Time returns the event's time.
func (a *Alert) Time() time.Time {
	return time.Unix(a.Event.Time.Seconds, a.Event.Time.Nanoseconds)
}

func (a *Alert) status() string {
	if given := a.Values.Get(fieldmap.Status); given != "" || a.Transaction.ResponseStatus == 0 {
		return given
	}
	return strconv.Itoa(a.Transaction.ResponseStatus)
}

func (a *Alert) domain() string {
	if given := a.Values.Get(fieldmap.Host); given != "" {
		return given
	}
	return a.Transaction.ServerName
}
