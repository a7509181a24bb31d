package fieldmap

import (
	"strconv"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// Map says under which keys a source logs the fields of a transaction.
type Map struct {
	Name string
	keys map[string]Field
}

// Read fills the values with what a record's body says. It reports false when the body is no map.
func (m *Map) Read(body []byte, v *Values) bool {
	v.reset()
	pairs, isMap := record.ReadMap(body)
	if !isMap {
		return false
	}
	for pairs.Next() {
		if field, known := m.keys[pairs.Key]; known && pairs.IsKey {
			v.read(field, pairs.Value)
		}
	}
	return true
}

// read stores a value as text. Nil, and values that are no scalars, count as not given.
func (v *Values) read(field Field, value []byte) {
	if text, isText := record.Text(value); isText {
		v.set(field, text)
		return
	}
	start := len(v.scratch)
	switch msgp.NextType(value) {
	case msgp.IntType:
		n, _, err := msgp.ReadInt64Bytes(value)
		if err != nil {
			return
		}
		v.scratch = strconv.AppendInt(v.scratch, n, 10)
	case msgp.UintType:
		n, _, err := msgp.ReadUint64Bytes(value)
		if err != nil {
			return
		}
		v.scratch = strconv.AppendUint(v.scratch, n, 10)
	case msgp.Float32Type, msgp.Float64Type:
		n, _, err := msgp.ReadFloat64Bytes(value)
		if err != nil {
			return
		}
		v.scratch = strconv.AppendFloat(v.scratch, n, 'f', -1, 64)
	default:
		return
	}
	written := v.scratch[start:]
	v.set(field, unsafe.String(unsafe.SliceData(written), len(written)))
}

// nano are the keys of Nano probes.
var nano = map[string]Field{
	"L7_PROTOCOL": Protocol7, "BEGIN_TIME": Time, "SRC_IP": ClientIP, "SRC_PORT": ClientPort, "DST_IP": ServerIP,
	"DST_PORT": ServerPort, "FORWARD": Forward, "METHOD": Method, "URL": URI, "DOMAIN": Host, "AGENT": UserAgent,
	"REFERER": Referer, "COOKIE": Cookie, "RETCODE": Status, "REQ_HEADER": RequestHead, "REQ_BODY": RequestBody,
	"RSP_HEADER": ResponseHead, "RSP_BODY": ResponseBody, "host": Sensor, "message": Message, "source": Source, "geoip": Geo,
}

// Nano returns the map of records as Nano probes send them.
func Nano() *Map { return &Map{Name: "nano", keys: nano} }

// GELF returns the map of Nano records that came through GELF: all keys but host have an underscore in front.
func GELF() *Map {
	keys := make(map[string]Field, len(nano))
	for key, field := range nano {
		if field != Sensor {
			key = "_" + key
		}
		keys[key] = field
	}
	return &Map{Name: "gelf", keys: keys}
}
