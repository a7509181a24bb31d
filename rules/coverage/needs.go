package coverage

import (
	"regexp"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Need says what a detection rule needs to know of a transaction.
type Need struct {
	rule    *model.RuleInfo
	Parts   model.Parts // whose absence the rule would take for a match
	reasons []reason
	looks   []model.Parts // of which each rule of the chain needs some for a match, 0 when it looks at other things as well
}

// reason says what a rule would do without parts.
type reason struct {
	parts model.Parts
	why   string
}

// variable is what a SecLang variable is made of.
type variable struct {
	parts model.Parts
	kind  kind
}

// kind says what a variable looks like when parts of it are unknown.
type kind uint8

const (
	collection kind = iota // has what is known, and nothing to match in place of the rest
	text                   // always has a value, which is empty or made up
	size                   // a number that grows with what is known
	flag                   // a number that says how reading the parts went
)

// partWholeTarget is what the request target needs to be known from its first to its last character.
const partWholeTarget = model.PartRequest | model.PartTarget | model.PartQuery

var variables = map[string]variable{
	"ARGS":                    {model.PartRequest | model.PartQuery | model.PartArguments | model.PartBody, collection},
	"ARGS_NAMES":              {model.PartRequest | model.PartQuery | model.PartArguments | model.PartBody, collection},
	"ARGS_GET":                {model.PartRequest | model.PartQuery | model.PartArguments, collection},
	"ARGS_GET_NAMES":          {model.PartRequest | model.PartQuery | model.PartArguments, collection},
	"ARGS_PATH":               {model.PartRequest | model.PartTarget, collection},
	"ARGS_POST":               {model.PartBody, collection},
	"ARGS_POST_NAMES":         {model.PartBody, collection},
	"ARGS_COMBINED_SIZE":      {model.PartRequest | model.PartQuery | model.PartArguments | model.PartBody | model.PartBodyEnd, size},
	"AUTH_TYPE":               {model.PartOtherHeaders, text},
	"FILES":                   {model.PartBody, collection},
	"FILES_NAMES":             {model.PartBody, collection},
	"FILES_SIZES":             {model.PartBody | model.PartBodyEnd, collection},
	"FILES_TMPNAMES":          {model.PartBody, collection},
	"FILES_TMP_CONTENT":       {model.PartBody | model.PartBodyEnd, collection},
	"FILES_COMBINED_SIZE":     {model.PartBody | model.PartBodyEnd, size},
	"FULL_REQUEST":            {partWholeTarget | model.PartEscapes | model.PartProtocol | model.PartRequestHeaders | model.PartBody | model.PartBodyEnd, text},
	"FULL_REQUEST_LENGTH":     {partWholeTarget | model.PartEscapes | model.PartProtocol | model.PartRequestHeaders | model.PartBody | model.PartBodyEnd, size},
	"GEO":                     {model.PartClient, collection},
	"INBOUND_DATA_ERROR":      {model.PartBody | model.PartBodyEnd, flag},
	"JSON":                    {model.PartBody, collection},
	"MULTIPART_PART_HEADERS":  {model.PartBody, collection},
	"OUTBOUND_DATA_ERROR":     {model.PartResponseBody | model.PartResponseEnd, flag},
	"PATH_INFO":               {model.PartRequest | model.PartTarget, text},
	"QUERY_STRING":            {model.PartRequest | model.PartQuery, text},
	"REMOTE_ADDR":             {model.PartClient, text},
	"REMOTE_HOST":             {model.PartClient, text},
	"REMOTE_PORT":             {model.PartClient, text},
	"REMOTE_USER":             {model.PartOtherHeaders, text},
	"REQUEST_BASENAME":        {model.PartRequest | model.PartTarget, text},
	"REQUEST_BODY":            {model.PartBody, text},
	"REQUEST_BODY_LENGTH":     {model.PartBody | model.PartBodyEnd, size},
	"REQUEST_COOKIES":         {model.PartCookie, collection},
	"REQUEST_COOKIES_NAMES":   {model.PartCookie, collection},
	"REQUEST_FILENAME":        {model.PartRequest | model.PartTarget, text},
	"REQUEST_LINE":            {partWholeTarget | model.PartEscapes | model.PartProtocol, text},
	"REQUEST_METHOD":          {model.PartRequest, text},
	"REQUEST_PROTOCOL":        {model.PartProtocol, text},
	"REQUEST_URI":             {partWholeTarget, text},
	"REQUEST_URI_RAW":         {partWholeTarget, text},
	"REQUEST_XML":             {model.PartBody, collection},
	"RESPONSE_ARGS":           {model.PartResponseBody, collection},
	"RESPONSE_BODY":           {model.PartResponseBody, text},
	"RESPONSE_CONTENT_LENGTH": {model.PartResponseHeader, size},
	"RESPONSE_CONTENT_TYPE":   {model.PartResponseHeader, text},
	"RESPONSE_HEADERS":        {model.PartResponseHeader, collection},
	"RESPONSE_HEADERS_NAMES":  {model.PartResponseHeader, collection},
	"RESPONSE_PROTOCOL":       {model.PartResponseHeader, text},
	"RESPONSE_STATUS":         {model.PartStatus, text},
	"RESPONSE_XML":            {model.PartResponseBody, collection},
	"SERVER_ADDR":             {model.PartServer, text},
	"SERVER_NAME":             {model.PartHostName, text},
	"SERVER_PORT":             {model.PartServer, text},
	"STATUS_LINE":             {model.PartStatus, text},
	"URI_PARSE_ERROR":         {partWholeTarget | model.PartEscapes, flag},
	"URLENCODED_ERROR":        {partWholeTarget | model.PartEscapes | model.PartBody | model.PartBodyEnd, flag},
	"XML":                     {model.PartBody, collection},
}

// rawBodies are the TX variables that come from the record and not from rules.
var rawBodies = map[string]variable{
	seclang.RawRequestBody:  {model.PartBody, collection},
	seclang.RawResponseBody: {model.PartResponseBody, collection},
}

// variableOf returns what a target is made of. Variables that say nothing of the record have no parts.
func variableOf(name, key string) variable {
	switch name {
	case "REQUEST_HEADERS", "REQUEST_HEADERS_NAMES":
		if key == "" {
			return variable{parts: model.PartRequestHeaders}
		}
		return variable{parts: PartOfHeader(key)}
	}
	if name == "TX" {
		return rawBodies[strings.ToLower(key)]
	}
	if v, known := variables[name]; known {
		return v
	}
	for _, prefix := range []string{"REQBODY_", "MULTIPART_"} {
		if strings.HasPrefix(name, prefix) {
			return variable{model.PartBody | model.PartBodyEnd, flag}
		}
	}
	if strings.HasPrefix(name, "RES_BODY_") || strings.HasPrefix(name, "RESBODY_") {
		return variable{model.PartResponseBody | model.PartResponseEnd, flag}
	}
	return variable{}
}

// PartOfHeader returns the part to which a request header belongs.
func PartOfHeader(name string) model.Parts {
	switch strings.ToLower(name) {
	case "host":
		return model.PartHost
	case "user-agent":
		return model.PartUserAgent
	case "referer":
		return model.PartReferer
	case "cookie":
		return model.PartCookie
	case "accept":
		return model.PartAccept
	case "content-type":
		return model.PartContentType
	case "content-length":
		return model.PartContentLength
	case "transfer-encoding":
		return model.PartTransferEncoding
	}
	return model.PartOtherHeaders
}

// needTable names the needs that no rule text shows, by CRS rule id.
var needTable = map[int]reason{
	920350: {model.PartHost, "depends on how the Host header was written, not which host answered"},
}

// NeedsOf derives what the detection rules of a program need. alerting returns what is known of a rule, nil when it cannot alert.
func NeedsOf(directives []seclang.Directive, alerting func(id int) *model.RuleInfo) (all []Need) {
	var chain []seclang.Rule
	for _, d := range directives {
		if !d.IsRule() {
			continue
		}
		r, err := seclang.ParseRule(d)
		if err != nil {
			continue // accepted by the compiler, so its targets are unusual; it stays in all forms of the rules
		}
		if chain = append(chain, r); r.Chained() {
			continue
		}
		if info := alerting(chain[0].ID()); info != nil {
			all = append(all, newNeed(info, chain))
		}
		chain = chain[:0]
	}
	return all
}

func newNeed(info *model.RuleInfo, chain []seclang.Rule) Need {
	n := Need{rule: info}
	if listed, found := needTable[info.ID]; found {
		n.add(listed.parts, listed.why)
	}
	for i := range chain {
		n.addLink(&chain[i], chain)
	}
	return n
}

// addLink adds what one rule of a chain needs: parts whose absence its operator would take for a match, and parts that the
// operator compares with.
func (n *Need) addLink(r *seclang.Rule, chain []seclang.Rule) {
	n.looks = append(n.looks, looksAt(r))
	for _, t := range r.Targets {
		if t.Exclude {
			continue
		}
		name := t.Variable
		if t.Key != "" {
			name += ":" + t.Key
		}
		n.add(misleading(r, &t), "matches when "+name+" is not known")
	}
	for _, macro := range macroName.FindAllStringSubmatch(r.Operator.Argument, -1) {
		name, key := strings.ToUpper(macro[1]), macro[2]
		parts := variableOf(name, key).parts
		if parts == model.PartHost {
			parts = model.PartHostName // a comparison needs the name, however the header was written
		}
		if !requires(chain, name, key) {
			n.add(parts, "compares with "+macro[0])
		}
	}
}

// requires reports whether a chain only matches when a value of a collection is there.
func requires(chain []seclang.Rule, variable, key string) bool {
	return slices.ContainsFunc(chain, func(r seclang.Rule) bool {
		return len(r.Targets) == 1 && !r.Targets[0].Count && r.Targets[0].Variable == variable && key != "" &&
			strings.EqualFold(r.Targets[0].Key, key) && variableOf(variable, key).kind == collection
	})
}

// looksAt returns the parts that a rule looks at, 0 when it looks at anything that is no part of the transaction.
func looksAt(r *seclang.Rule) (parts model.Parts) {
	for _, t := range r.Targets {
		if t.Exclude {
			continue
		}
		v := variableOf(t.Variable, t.Key)
		if v.parts == 0 {
			return 0
		}
		parts |= v.parts
	}
	return parts
}

// Idle reports whether a rule has nothing to inspect when parts are absent.
func (n *Need) Idle(absent model.Parts) bool {
	return slices.ContainsFunc(n.looks, func(looks model.Parts) bool { return looks != 0 && looks&^absent == 0 })
}

var macroName = regexp.MustCompile(`%\{([A-Za-z_]+)(?:[.:]([^}]+))?\}`)

func (n *Need) add(parts model.Parts, why string) {
	if n.Parts |= parts; parts != 0 {
		n.reasons = append(n.reasons, reason{parts, why})
	}
}

// Why returns the first reason for which a rule needs any of the unknown parts.
func (n *Need) Why(unknown model.Parts) string {
	for _, r := range n.reasons {
		if r.parts&unknown != 0 {
			return r.why
		}
	}
	return ""
}

// What stands for a version and for a path that are not known.
const (
	madeUpProtocol = "HTTP/1.1"
	madeUpPath     = "/"
)

// misleading returns the parts that, when unknown, can make a target match.
func misleading(r *seclang.Rule, t *seclang.Target) model.Parts {
	v := variableOf(t.Variable, t.Key)
	const ends = model.PartBodyEnd | model.PartResponseEnd
	parts := judgedEncoding(r, v.parts)
	switch {
	case t.Count:
		if r.Operator.Matches("0") || t.Key == "" && !r.Operator.Grows() {
			parts |= v.parts.WithEnds() // what stands behind a cut is not counted
		}
	case v.kind == text && (r.Operator.Matches(emptyTransformed(r)) || t.Variable == "REQUEST_PROTOCOL" && r.Operator.Matches(madeUpProtocol)):
		parts |= v.parts
	case v.kind == text && v.parts&model.PartTarget != 0 && r.Operator.Matches(madeUpPath):
		parts |= model.PartTarget
	case v.kind == size && !r.Operator.Grows():
		parts |= v.parts
	case v.kind == flag:
		if parts |= v.parts & ends; r.Operator.Matches("0") {
			parts |= v.parts
		}
	}
	return parts
}

// judgedEncoding returns what a rule needs that looks at how text is encoded: a request target with its escapes, and a body that
// does not stop in the middle of a character.
func judgedEncoding(r *seclang.Rule, looksAt model.Parts) (parts model.Parts) {
	switch strings.ToLower(r.Operator.Name) {
	case "validateurlencoding":
		parts = model.PartEscapes | model.PartBodyEnd
	case "validatebyterange":
		if slices.ContainsFunc(r.All("t"), func(t string) bool { return strings.HasPrefix(strings.ToLower(t), "urldecode") }) {
			return 0
		}
		parts = model.PartEscapes
	case "validateutf8encoding":
		parts = model.PartBodyEnd
	}
	if looksAt&model.PartRequest == 0 {
		parts &^= model.PartEscapes
	}
	if looksAt&model.PartBody == 0 {
		parts &^= model.PartBodyEnd
	}
	return parts
}

// emptyTransformed returns what a rule's operator sees of an empty value.
func emptyTransformed(r *seclang.Rule) string {
	if slices.ContainsFunc(r.All("t"), func(t string) bool { return strings.EqualFold(t, "length") }) {
		return "0"
	}
	return ""
}

// ByID returns needs by the ids of their rules.
func ByID(needs []Need) map[int]*Need {
	byID := make(map[int]*Need, len(needs))
	for i := range needs {
		byID[needs[i].rule.ID] = &needs[i]
	}
	return byID
}

// LeftOut returns the rules that must not run for a transaction of which parts are unknown. Of a record that is no HTTP
// transaction, only rules that have something to look at are left.
func LeftOut(needs []Need, unknown model.Parts) (ids []int) {
	for i := range needs {
		if n := &needs[i]; n.Parts&unknown != 0 || unknown&model.PartRequest != 0 && n.Idle(unknown) {
			ids = append(ids, n.rule.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
