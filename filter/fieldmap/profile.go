package fieldmap

import "github.com/fluent-bit-waf/fluent-bit-waf/rules"

// Unknown returns the parts of a transaction that records of the source never tell, even when they have all keys.
func (m *Map) Unknown() rules.Parts {
	var v Values
	var t rules.Transaction
	v.reset(m)
	for i := range m.entries {
		v.pretend(&m.entries[i].action)
	}
	if v.Get(URI) == "" && v.Get(path) == "" && v.Get(RequestHead) == "" {
		return rules.AllParts &^ v.known(ClientIP, rules.PartClient) &^ v.known(ServerIP, rules.PartServer)
	}
	if v.unescaped&(1<<URI) != 0 || v.Get(URI) == "" && v.unescaped != 0 {
		v.lost |= rules.PartEscapes
	}
	raw := v.Has(RequestHead)
	v.requestHeaders(&t)
	v.untyped = !raw && v.Has(RequestBody) && !v.hasContentType(&t)
	t.ClientIP, t.ServerIP = v.Get(ClientIP), v.Get(ServerIP)
	t.ResponseBody = v.Get(ResponseBody)
	if v.Has(Status) || v.Has(ResponseHead) {
		t.ResponseStatus = 200
	}
	return v.unknown(&t, raw, 0)
}

func (v *Values) known(f Field, part rules.Parts) rules.Parts {
	if v.Has(f) {
		return part
	}
	return 0
}

// pretend fills the values as if a record had something for an action.
func (v *Values) pretend(a *action) {
	const something = "x"
	switch a.reading {
	case asField, asAddress:
		v.set(a.field, something, 0)
		if a.unescaped {
			v.unescaped |= 1 << a.field
		}
	case asRequestLine, asURL:
		v.set(URI, something, 0)
		if a.reading == asRequestLine {
			v.set(Version, something, 0)
		}
		if a.reading == asURL || a.absolute {
			v.set(ServerName, something, 0)
		}
	case asHeaders:
		v.requestList.whole = v.requestList.whole || a.all
	case asResponseHeaders:
		v.responseList.whole = v.responseList.whole || a.all
	case asHeader, asResponseHeader, asArgument:
		v.slots[a.slot] = slot{something, 0, true}
	}
}

// Absent returns the parts of which records of the source never have anything: of unknown headers, some may be logged.
func (m *Map) Absent() rules.Parts {
	absent := m.Unknown()
	for i := range m.entries {
		switch a := &m.entries[i].action; {
		case a.reading == asHeader || a.reading == asHeaders:
			absent &^= rules.PartUnnamedHeaders
			if a.reading == asHeaders {
				absent &^= rules.PartRequestHeaders | rules.PartHostName
			}
		case a.reading == asResponseHeader || a.reading == asResponseHeaders:
			absent &^= rules.PartResponseHeader
		case a.field == ServerName && a.reading == asField:
			absent &^= rules.PartHost
		}
	}
	return absent &^ (rules.PartEscapes | rules.PartBodyEnd | rules.PartResponseEnd)
}

// Maps returns the maps in the order in which they are tried.
func (c *Choice) Maps() []*Map { return c.maps }
