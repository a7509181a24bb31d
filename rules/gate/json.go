package gate

import (
	"strconv"

	"github.com/tidwall/gjson"
)

const (
	// The engine stops at a flattened form of so many times the body's size, and not before so many bytes.
	flattenFactor = 8
	flattenFloor  = 4096
)

// json reads a JSON body as Coraza does: each value becomes an argument named by its path, each array one with its length. It
// reports false when the engine has to judge: for what is no JSON, too deep, or too much.
func (v *view) json(body string, l *limits) bool {
	if nestingExceeds(body, l.jsonDepth) || !gjson.Valid(body) {
		return false
	}
	w := jsonWalk{v: v, budget: max(len(body)*flattenFactor, flattenFloor), limit: l.arguments, path: append(v.path[:0], "json"...)}
	w.walk(gjson.Parse(body), l.jsonDepth)
	v.path = w.path[:0]
	return !w.over
}

// jsonWalk flattens a document.
type jsonWalk struct {
	v      *view
	path   []byte // of the value that is visited
	budget int    // bytes of names and values that are left
	limit  int    // of arguments
	over   bool   // a limit is reached
}

func (w *jsonWalk) walk(object gjson.Result, depth int) {
	if depth <= 0 {
		w.over = true
		return
	}
	length := 0
	object.ForEach(func(key, value gjson.Result) bool {
		if w.over = len(w.v.pairs[argsPost]) >= w.limit; w.over {
			return false // the engine notes also what has no value as beyond the limit
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
			w.walk(value, depth-1)
		case gjson.String:
			w.add(value.Str)
		case gjson.Null:
			w.add("")
		default:
			w.add(value.Raw)
		}
		w.path = w.path[:end]
		return !w.over
	})
	if length > 0 && !w.over {
		w.add(w.v.arena.number(length))
	}
}

func (w *jsonWalk) add(value string) {
	w.budget -= len(w.path) + len(value)
	if w.over = w.over || w.budget < 0 || len(w.v.pairs[argsPost]) >= w.limit; w.over {
		return
	}
	mark := len(w.v.arena.buf)
	w.v.arena.buf = append(w.v.arena.buf, w.path...)
	w.v.add(argsPost, w.v.arena.since(mark), value)
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
