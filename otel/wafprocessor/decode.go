package wafprocessor

import (
	"fmt"

	"github.com/tinylib/msgp/msgp"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// setValue sets a value to one of msgpack. The filter has written it, so that an error is a fault of the program.
func setValue(to pcommon.Value, from []byte, depth int) error {
	if depth > deepest {
		return nil
	}
	if text, isText := record.Text(from); isText {
		to.SetStr(string([]byte(text))) // a view of the filter's memory
		return nil
	}
	switch msgp.NextType(from) {
	case msgp.IntType, msgp.UintType:
		n, _, err := msgp.ReadInt64Bytes(from)
		to.SetInt(n)
		return err
	case msgp.Float64Type, msgp.Float32Type:
		n, _, err := msgp.ReadFloat64Bytes(from)
		to.SetDouble(n)
		return err
	case msgp.BoolType:
		is, _, err := msgp.ReadBoolBytes(from)
		to.SetBool(is)
		return err
	case msgp.ArrayType:
		items, _ := record.ReadArray(from)
		all := to.SetEmptySlice()
		for items.Next() {
			if err := setValue(all.AppendEmpty(), items.Value, depth+1); err != nil {
				return err
			}
		}
		return nil
	case msgp.MapType:
		pairs, _ := record.ReadMap(from)
		all := to.SetEmptyMap()
		for pairs.Next() {
			if err := setValue(all.PutEmpty(string([]byte(pairs.Key))), pairs.Value, depth+1); err != nil {
				return err
			}
		}
		return nil
	case msgp.NilType:
		return nil
	default:
		return fmt.Errorf("value of type %v", msgp.NextType(from))
	}
}

// putVerdict puts the map of a verdict into attributes, those of nested maps with dots between the names.
func putVerdict(to pcommon.Map, prefix string, verdict []byte) error {
	pairs, _ := record.ReadMap(verdict)
	for pairs.Next() {
		name := prefix + "." + pairs.Key
		if _, isMap := record.ReadMap(pairs.Value); isMap {
			if err := putVerdict(to, name, pairs.Value); err != nil {
				return err
			}
			continue
		}
		if err := setValue(to.PutEmpty(name), pairs.Value, 0); err != nil {
			return err
		}
	}
	return nil
}
