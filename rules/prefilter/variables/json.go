package variables

import (
	"strconv"

	corazavariables "github.com/corazawaf/coraza/v3/types/variables"
	"github.com/tidwall/gjson"
)

const (
	// The engine stops at a flattened form of so many times the body's size, and not before so many bytes.
	flattenFactor = 8
	flattenFloor  = 4096
)

// json reads a JSON body as Coraza does: each value becomes an argument named by its path, each array one with its length. It
// reports false when the engine has to evaluate: for what is no JSON, too deep, or takes too many bytes when it is flattened.
func (v *Values) json(body string, l *Limits) bool {
	if nestingExceeds(body, l.jsonDepth) || !gjson.Valid(body) {
		return false
	}
	w := jsonWalk{v: v, budget: max(len(body)*flattenFactor, flattenFloor), limit: l.Arguments, path: append(v.path[:0], "json"...)}
	if w.walk(gjson.Parse(body), l.jsonDepth) {
		v.Single[corazavariables.ArgumentsLimitReached] = "1"
	}
	v.path = w.path[:0]
	return !w.failed
}

// jsonWalk flattens a document.
type jsonWalk struct {
	v       *Values
	path    []byte // of the value that is visited
	budget  int    // bytes of names and values that are left
	limit   int    // of values, and of lengths of arrays
	values  int
	lengths int
	failed  bool // too deep, or beyond the budget
}

// walk adds what an object or array holds, and reports whether it has left something out because of the limit. An array of which it has
// has no length.
func (w *jsonWalk) walk(object gjson.Result, depth int) (cut bool) {
	if w.values >= w.limit {
		return true
	}
	if depth <= 0 {
		w.failed = true
		return false
	}
	length := 0
	object.ForEach(func(key, value gjson.Result) bool {
		if w.values >= w.limit {
			cut = true
			return false
		}
		end := len(w.path)
		w.path = append(w.path, '.')
		if key.Type == gjson.String {
			w.path = append(w.path, key.Str...)
		} else {
			w.path = strconv.AppendInt(w.path, int64(key.Num), 10)
			length++
		}
		switch value.Type {
		case gjson.JSON:
			cut = w.walk(value, depth-1) || cut
		case gjson.String:
			w.add(value.Str, &w.values)
		case gjson.Null:
			w.add("", &w.values)
		default:
			w.add(value.Raw, &w.values)
		}
		w.path = w.path[:end]
		return !w.failed
	})
	switch {
	case length == 0 || cut || w.failed:
	case w.lengths >= w.limit:
		cut = true
	default:
		w.add(w.v.Arena.Number(length), &w.lengths)
	}
	return cut
}

// add adds an argument of the path that is visited, and counts it.
func (w *jsonWalk) add(value string, number *int) {
	w.budget -= len(w.path) + len(value)
	if w.budget < 0 {
		w.failed = true
		return
	}
	mark := len(w.v.Arena.Buf)
	w.v.Arena.Buf = append(w.v.Arena.Buf, w.path...)
	w.v.add(ArgsPost, w.v.Arena.Since(mark), value)
	*number++
}

// nestingExceeds reports whether brackets outside of strings are nested deeper than a limit.
func nestingExceeds(s string, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
