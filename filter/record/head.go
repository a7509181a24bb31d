package record

import (
	"encoding/binary"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// AppendHead appends what an event has before its body: an array of a time and empty metadata.
func AppendHead(dst []byte, t time.Time) []byte {
	dst = append(dst, 0x92, 0x92, 0xd7, 0x00)
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.Unix()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
	return msgp.AppendMapHeader(dst, 0)
}
