package gate

import (
	"regexp"
	"strings"

	"github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// kind says where the values of a target are found.
type kind uint8

const (
	ofSingle  kind = iota // one text
	ofPairs               // values of collections
	ofNames               // keys of collections; of the kinds so far the gate knows all values
	ofTX                  // TX variables
	ofMatched             // what the rules of the chain before have matched
	ofSize                // ARGS_COMBINED_SIZE
)

// source is a variable of SecLang as the gate knows it.
type source struct {
	kind        kind
	variable    variables.RuleVariable
	collections []collection
	from        int // phase from which on the variable has its value
}

// sources are the variables whose values the gate can compute. A rule with any other target always runs.
var sources = map[string]source{
	"ARGS":                            {kind: ofPairs, collections: []collection{argsGet, argsPost}, from: 1},
	"ARGS_GET":                        {kind: ofPairs, collections: []collection{argsGet}, from: 1},
	"ARGS_POST":                       {kind: ofPairs, collections: []collection{argsPost}, from: 2},
	"ARGS_NAMES":                      {kind: ofNames, collections: []collection{argsGet, argsPost}, from: 1},
	"ARGS_GET_NAMES":                  {kind: ofNames, collections: []collection{argsGet}, from: 1},
	"ARGS_POST_NAMES":                 {kind: ofNames, collections: []collection{argsPost}, from: 2},
	"ARGS_COMBINED_SIZE":              {kind: ofSize, from: 2},
	"REQUEST_HEADERS":                 {kind: ofPairs, collections: []collection{requestHeaders}, from: 1},
	"REQUEST_HEADERS_NAMES":           {kind: ofNames, collections: []collection{requestHeaders}, from: 1},
	"REQUEST_COOKIES":                 {kind: ofPairs, collections: []collection{requestCookies}, from: 1},
	"REQUEST_COOKIES_NAMES":           {kind: ofNames, collections: []collection{requestCookies}, from: 1},
	"RESPONSE_HEADERS":                {kind: ofPairs, collections: []collection{responseHeaders}, from: 3},
	"RESPONSE_HEADERS_NAMES":          {kind: ofNames, collections: []collection{responseHeaders}, from: 3},
	"FILES":                           {kind: ofPairs, collections: []collection{files}, from: 2},
	"FILES_NAMES":                     {kind: ofPairs, collections: []collection{filesNames}, from: 2},
	"FILES_SIZES":                     {kind: ofPairs, collections: []collection{filesSizes}, from: 2},
	"MULTIPART_PART_HEADERS":          {kind: ofPairs, collections: []collection{partHeaders}, from: 2},
	"MULTIPART_FILENAME":              {kind: ofPairs, collections: []collection{multipartFilename}, from: 2},
	"MULTIPART_NAME":                  {kind: ofPairs, collections: []collection{multipartName}, from: 2},
	"XML":                             {kind: ofPairs, collections: []collection{xml}, from: 2},
	"REQUEST_XML":                     {kind: ofPairs, collections: []collection{xml}, from: 2},
	"TX":                              {kind: ofTX},
	"MATCHED_VAR":                     {kind: ofMatched, variable: variables.MatchedVar},
	"MATCHED_VARS":                    {kind: ofMatched},
	"ARGUMENTS_LIMIT_REACHED":         {variable: variables.ArgumentsLimitReached, from: 2},
	"FILES_COMBINED_SIZE":             {variable: variables.FilesCombinedSize, from: 2},
	"FULL_REQUEST_LENGTH":             {variable: variables.FullRequestLength, from: 1},
	"INBOUND_DATA_ERROR":              {variable: variables.InboundDataError, from: 2},
	"MULTIPART_DATA_AFTER":            {variable: variables.MultipartDataAfter, from: 2},
	"MULTIPART_DUPLICATE_PART_HEADER": {variable: variables.MultipartDuplicatePartHeader, from: 2},
	"MULTIPART_INVALID_QUOTING":       {variable: variables.MultipartInvalidQuoting, from: 2},
	"MULTIPART_STRICT_ERROR":          {variable: variables.MultipartStrictError, from: 2},
	"OUTBOUND_DATA_ERROR":             {variable: variables.OutboundDataError, from: 4},
	"QUERY_STRING":                    {variable: variables.QueryString, from: 1},
	"REMOTE_ADDR":                     {variable: variables.RemoteAddr, from: 1},
	"REMOTE_PORT":                     {variable: variables.RemotePort, from: 1},
	"REQBODY_ERROR":                   {variable: variables.ReqbodyError, from: 2},
	"REQBODY_PROCESSOR":               {variable: variables.ReqbodyProcessor, from: 2},
	"REQBODY_PROCESSOR_ERROR":         {variable: variables.ReqbodyProcessorError, from: 2},
	"REQUEST_BASENAME":                {variable: variables.RequestBasename, from: 1},
	"REQUEST_BODY":                    {variable: variables.RequestBody, from: 2},
	"REQUEST_BODY_LENGTH":             {variable: variables.RequestBodyLength, from: 2},
	"REQUEST_FILENAME":                {variable: variables.RequestFilename, from: 1},
	"REQUEST_LINE":                    {variable: variables.RequestLine, from: 1},
	"REQUEST_METHOD":                  {variable: variables.RequestMethod, from: 1},
	"REQUEST_PROTOCOL":                {variable: variables.RequestProtocol, from: 1},
	"REQUEST_URI":                     {variable: variables.RequestURI, from: 1},
	"REQUEST_URI_RAW":                 {variable: variables.RequestURIRaw, from: 1},
	"RESPONSE_BODY":                   {variable: variables.ResponseBody, from: 4},
	"RESPONSE_CONTENT_LENGTH":         {variable: variables.ResponseContentLength, from: 4},
	"RESPONSE_CONTENT_TYPE":           {variable: variables.ResponseContentType, from: 3},
	"RESPONSE_PROTOCOL":               {variable: variables.ResponseProtocol, from: 3},
	"RESPONSE_STATUS":                 {variable: variables.ResponseStatus, from: 3},
	"SERVER_ADDR":                     {variable: variables.ServerAddr, from: 1},
	"SERVER_NAME":                     {variable: variables.ServerName, from: 1},
	"SERVER_PORT":                     {variable: variables.ServerPort, from: 1},
	"URI_PARSE_ERROR":                 {variable: variables.URIParseError, from: 1},
	"URLENCODED_ERROR":                {variable: variables.UrlencodedError, from: 1},
}

// target is one target of a rule.
type target struct {
	source
	key      string         // in lower case, "" for all
	keyRx    *regexp.Regexp // selects keys instead
	counts   bool           // the number of values is tested
	excluded []exclusion
	feeders  []feeder // rules elsewhere that can set the TX variables that the target selects
}

// feeder is a chain that sets TX variables for others, up to the last of its tests that does.
type feeder struct {
	chain *chain
	tests int
}

type exclusion struct {
	key string
	rx  *regexp.Regexp
}

// newTargets resolves the targets of a rule. It reports false when the gate does not know one of them.
func newTargets(list []seclang.Target) ([]target, bool) {
	var targets []target
	for _, t := range list {
		known, found := sources[t.Variable]
		if !found {
			return nil, false
		}
		if body, isBody := rawBodies[strings.ToLower(t.Key)]; isBody && t.Variable == "TX" && !t.IsRegex {
			known, t.Key = body, ""
		}
		var rx *regexp.Regexp
		if t.IsRegex {
			var err error
			if rx, err = regexp.Compile(t.Key); err != nil {
				return nil, false
			}
		}
		if !t.Exclude {
			key := strings.ToLower(t.Key)
			if t.Variable == "XML" || known.kind == ofNames {
				key = "" // paths into XML, and names looked up by name, select no more than everything
			}
			if t.IsRegex {
				key = ""
			}
			targets = append(targets, target{source: known, key: key, keyRx: lowerRegex(known, rx, t.Key), counts: t.Count})
			continue
		}
		for i := range targets {
			if same(targets[i].source, known) {
				targets[i].excluded = append(targets[i].excluded, exclusion{strings.ToLower(t.Key), rx})
			}
		}
	}
	return targets, true
}

// lowerRegex compiles a selector as Coraza does: in lower case for all but arguments.
func lowerRegex(s source, rx *regexp.Regexp, pattern string) *regexp.Regexp {
	if rx == nil || s.kind == ofPairs && (s.collections[0] == argsGet || s.collections[0] == argsPost) {
		return rx
	}
	if lowered, err := regexp.Compile(strings.ToLower(pattern)); err == nil {
		return lowered
	}
	return rx
}

func same(a, b source) bool {
	if a.kind != b.kind || a.variable != b.variable || len(a.collections) != len(b.collections) {
		return false
	}
	for i := range a.collections {
		if a.collections[i] != b.collections[i] {
			return false
		}
	}
	return true
}

// selects reports whether a key belongs to the target.
func (t *target) selects(key string) bool {
	switch {
	case t.keyRx != nil:
		if !t.keyRx.MatchString(strings.ToLower(key)) {
			return false
		}
	case t.key != "":
		if !strings.EqualFold(key, t.key) {
			return false
		}
	}
	for i := range t.excluded {
		e := &t.excluded[i]
		switch {
		case e.rx != nil:
			if e.rx.MatchString(strings.ToLower(key)) {
				return false
			}
		case e.key == "" || strings.ToLower(key) == e.key:
			return false
		}
	}
	return true
}
