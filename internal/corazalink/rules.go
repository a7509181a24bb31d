package corazalink

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"unsafe"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/corazawaf/coraza/v3/types/variables"
)

// WAF is what Coraza has made of all directives.
type WAF struct {
	Engine   types.RuleEngineStatus
	Rules    []Rule // in the order of evaluation, markers included
	Settings Settings
}

// Settings bound what a WAF reads of bodies and arguments. Sizes are in bytes.
type Settings struct {
	RequestBodyAccess, ResponseBodyAccess bool
	RequestBodyLimit, ResponseBodyLimit   int64
	RequestPartial, ResponsePartial       bool // a body beyond its limit is inspected up to it
	ResponseMIMETypes                     []string
	Arguments, RequestJSONDepth           int
	RxPreFilter                           bool
}

// Rule is a compiled SecRule or SecAction with the rules chained to it, or a SecMarker. Directives that update rules are included.
type Rule struct {
	ID       int
	Phase    int
	Marker   string // of a SecMarker, which has no links
	File     string // as Coraza was given it
	Line     int
	Severity types.RuleSeverity
	Tags     []string
	Log      bool // a match is written to the error log
	Links    []Link
}

// Disruptive returns the name of the disruptive action that counts, "" when there is none.
func (r *Rule) Disruptive() (name string) {
	for i := range r.Links[:min(1, len(r.Links))] {
		for k := range r.Links[i].Actions {
			if a := &r.Links[i].Actions[k]; a.Type == plugintypes.ActionTypeDisruptive {
				name = a.Name
			}
		}
	}
	return name
}

// Link is one rule of a chain.
type Link struct {
	Targets         []Target
	Operator        *Operator // nil for a SecAction, which always matches
	Transformations []Transformation
	Actions         []Action // without those that Coraza reads once, such as id and msg
	Message         string   // msg, with its macros
	LogData         string   // logdata, with its macros
	Capture         bool
	MultiMatch      bool
}

// Target is a variable that a rule looks at, with what it selects.
type Target struct {
	Variable variables.RuleVariable
	Key      string         // "" for all
	KeyRx    *regexp.Regexp // selects keys instead of Key
	Count    bool
	Except   []Exception
}

// Exception is a key that a target does not select.
type Exception struct {
	Key   string         // "" for all; not read when there is KeyRx
	KeyRx *regexp.Regexp // instead of Key, nil for none
}

// Operator is the operator of a rule.
type Operator struct {
	Name           string // as written, without @ and !
	Argument       string
	Negated        bool
	Implementation plugintypes.Operator
}

// Transformation is one step of a rule's transformation pipeline.
type Transformation struct {
	Name  string // in lower case, "" for one that is not Coraza's own
	Apply plugintypes.Transformation
}

// Action is an action that Coraza evaluates when a rule matches.
type Action struct {
	Name string // in lower case
	Type plugintypes.ActionType

	Assignment *Assignment // of setvar
	Control    *Control    // of ctl
	SkipAfter  string      // the marker of skipAfter
	Skip       int         // the number of skip
}

// Assignment is a setvar of the collection TX. Name and value are templates with macros.
type Assignment struct {
	Name, Value string
	Remove      bool
}

// Control is a ctl action.
type Control struct {
	Name     string // as the manual spells it, "" for one that is not known here
	Value    string
	Variable variables.RuleVariable // of ruleRemoveTargetBy…
	Key      string
	KeyRx    *regexp.Regexp
}

// Compiled returns the rules and settings of a WAF. The operators and transformations are those of the WAF. The error says what this
// version of Coraza keeps in another way.
func Compiled(waf coraza.WAF) (compiled *WAF, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			compiled, err = nil, fmt.Errorf("rules of Coraza: %v", cause)
		}
	}()
	w := pointee(member(reflect.ValueOf(waf), "waf"))
	compiled = &WAF{Engine: read[types.RuleEngineStatus](w, "RuleEngine"), Settings: settingsOf(w)}
	rules := member(member(w, "Rules"), "rules")
	for i := range rules.Len() {
		compiled.Rules = append(compiled.Rules, ruleOf(rules.Index(i)))
	}
	return compiled, nil
}

func settingsOf(w reflect.Value) Settings {
	const partial = types.BodyLimitActionProcessPartial
	return Settings{
		RequestBodyAccess: read[bool](w, "RequestBodyAccess"), ResponseBodyAccess: read[bool](w, "ResponseBodyAccess"),
		RequestBodyLimit: read[int64](w, "RequestBodyLimit"), ResponseBodyLimit: read[int64](w, "ResponseBodyLimit"),
		RequestPartial:    read[types.BodyLimitAction](w, "RequestBodyLimitAction") == partial,
		ResponsePartial:   read[types.BodyLimitAction](w, "ResponseBodyLimitAction") == partial,
		ResponseMIMETypes: read[[]string](w, "ResponseBodyMimeTypes"),
		Arguments:         read[int](w, "ArgumentLimit"), RequestJSONDepth: read[int](w, "RequestBodyJsonDepthLimit"),
		RxPreFilter: read[bool](w, "RxPreFilterEnabled"),
	}
}

func ruleOf(v reflect.Value) Rule {
	meta := member(v, "RuleMetadata")
	r := Rule{
		ID: read[int](meta, "ID_"), Phase: int(read[types.RulePhase](meta, "Phase_")), Marker: read[string](meta, "SecMark_"),
		File: read[string](meta, "File_"), Line: read[int](meta, "Line_"), Tags: read[[]string](meta, "Tags_"),
		Severity: read[types.RuleSeverity](meta, "Severity_"),
	}
	if r.Marker != "" {
		return r
	}
	for {
		if len(r.Links) == 0 {
			r.Log = read[bool](v, "Log")
		}
		r.Links = append(r.Links, linkOf(v))
		next := member(v, "Chain")
		if next.IsNil() {
			return r
		}
		v = next.Elem()
	}
}

func linkOf(v reflect.Value) Link {
	l := Link{
		Capture: read[bool](v, "Capture"), MultiMatch: read[bool](v, "MultiMatch"),
		Message: macroOf(member(v, "Msg")), LogData: macroOf(member(v, "LogData")),
	}
	targets := member(v, "variables")
	for i := range targets.Len() {
		l.Targets = append(l.Targets, targetOf(targets.Index(i)))
	}
	if o := member(v, "operator"); !o.IsNil() {
		o = o.Elem()
		name, negated := strings.CutPrefix(read[string](o, "Function"), "!")
		l.Operator = &Operator{
			Name: strings.TrimPrefix(name, "@"), Argument: read[string](o, "Data"), Negated: read[bool](o, "Negation"),
			Implementation: read[plugintypes.Operator](o, "Operator"),
		}
		if negated != l.Operator.Negated {
			panic(fmt.Sprintf("operator %q is negated: %v", name, l.Operator.Negated))
		}
	}
	steps := member(v, "transformations")
	for i := range steps.Len() {
		apply := read[plugintypes.Transformation](steps.Index(i), "Function")
		l.Transformations = append(l.Transformations, Transformation{transformationNames()[codeOf(apply)], apply})
	}
	actions := member(v, "actions")
	for i := range actions.Len() {
		a := actions.Index(i)
		l.Actions = append(l.Actions, actionOf(read[string](a, "Name"), read[plugintypes.Action](a, "Function")))
	}
	return l
}

func targetOf(v reflect.Value) Target {
	t := Target{
		Variable: read[variables.RuleVariable](v, "Variable"), Key: read[string](v, "KeyStr"),
		KeyRx: read[*regexp.Regexp](v, "KeyRx"), Count: read[bool](v, "Count"),
	}
	exceptions := member(v, "Exceptions")
	for i := range exceptions.Len() {
		e := exceptions.Index(i)
		t.Except = append(t.Except, Exception{read[string](e, "KeyStr"), read[*regexp.Regexp](e, "KeyRx")})
	}
	if t.KeyRx != nil {
		t.Key = "" // Coraza keeps the expression there
	}
	return t
}

func actionOf(name string, function plugintypes.Action) Action {
	a := Action{Name: name, Type: function.Type()}
	v := reflect.ValueOf(function)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch name {
	case "setvar":
		a.Assignment = &Assignment{Name: macroOf(member(v, "key")), Value: macroOf(member(v, "value")), Remove: read[bool](v, "isRemove")}
	case "skipafter":
		a.SkipAfter = read[string](v, "data")
	case "skip":
		a.Skip = read[int](v, "data")
	case "ctl":
		a.Control = &Control{
			Name: controlNames()[int(member(v, "action").Int())], Value: read[string](v, "value"),
			Variable: read[variables.RuleVariable](v, "collection"), Key: read[string](v, "colKey"), KeyRx: read[*regexp.Regexp](v, "colKeyRx"),
		}
	}
	return a
}

// macroOf returns the text of a macro.Macro, "" when there is none.
func macroOf(v reflect.Value) string {
	if v.IsNil() {
		return ""
	}
	return v.Interface().(fmt.Stringer).String()
}

// transformations are the names of Coraza's transformations, as its manual spells them.
var transformations = []string{
	"base64Decode", "base64DecodeExt", "base64Encode", "cmdLine", "compressWhitespace", "cssDecode", "escapeSeqDecode", "hexDecode",
	"hexEncode", "htmlEntityDecode", "jsDecode", "length", "lowercase", "md5", "none", "normalisePath", "normalisePathWin",
	"removeComments", "removeCommentsChar", "removeNulls", "removeWhitespace", "replaceComments", "replaceNulls", "sha1", "trim",
	"trimLeft", "trimRight", "uppercase", "urlDecode", "urlDecodeUni", "urlEncode", "utf8toUnicode",
}

// transformationNames finds the name of a transformation by its code.
var transformationNames = sync.OnceValue(func() map[uintptr]string {
	names := map[uintptr]string{}
	for _, name := range transformations {
		if apply, err := GetTransformation(name); err == nil {
			names[codeOf(apply)] = strings.ToLower(name)
		}
	}
	return names
})

func codeOf(apply plugintypes.Transformation) uintptr { return reflect.ValueOf(apply).Pointer() }

// controls are the names of Coraza's ctl actions.
var controls = []string{
	"auditEngine", "auditLogParts", "debugLogLevel", "forceRequestBodyVariable", "forceResponseBodyVariable", "hashEnforcement",
	"hashEngine", "requestBodyAccess", "requestBodyLimit", "requestBodyProcessor", "responseBodyAccess", "responseBodyLimit",
	"responseBodyProcessor", "ruleEngine", "ruleRemoveById", "ruleRemoveByMsg", "ruleRemoveByTag", "ruleRemoveTargetById",
	"ruleRemoveTargetByMsg", "ruleRemoveTargetByTag",
}

// controlNames finds the name of a ctl action by the number that Coraza gives it, which each version is asked for.
var controlNames = sync.OnceValue(func() map[int]string {
	names := map[int]string{}
	for _, name := range controls {
		action, err := getAction("ctl")
		if err == nil {
			err = action.Init(nil, name+"=1")
		}
		if err == nil {
			names[int(member(reflect.ValueOf(action).Elem(), "action").Int())] = name
		}
	}
	return names
})

// member returns a field of a struct, also one that is not exported. It panics with the name of a field that is not there.
func member(v reflect.Value, name string) reflect.Value {
	f := v.FieldByName(name)
	if !f.IsValid() {
		panic(fmt.Sprintf("%s has no field %s", v.Type(), name))
	}
	if f.CanInterface() || !f.CanAddr() {
		return f
	}
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
}

// read returns the value of a field. It panics when the field has another type.
func read[T any](v reflect.Value, name string) T {
	f := member(v, name)
	if want := reflect.TypeFor[T](); f.Type() != want {
		panic(fmt.Sprintf("field %s of %s is of type %s, not %s", name, v.Type(), f.Type(), want))
	}
	value, _ := f.Interface().(T) // of an interface that holds nothing, nothing
	return value
}

// pointee returns what a pointer that is not exported points to.
func pointee(v reflect.Value) reflect.Value {
	return reflect.NewAt(v.Type().Elem(), v.UnsafePointer()).Elem()
}
