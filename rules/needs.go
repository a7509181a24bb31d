package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// need says what a detection rule needs to know of a transaction.
type need struct {
	rule    *RuleInfo
	parts   Parts // whose absence the rule would take for a match
	reasons []reason
	looks   []Parts // of which each rule of the chain needs some for a match, 0 when it looks at other things as well
}

// reason says what a rule would do without parts.
type reason struct {
	parts Parts
	why   string
}

// variable is what a SecLang variable is made of.
type variable struct {
	parts Parts
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
const partWholeTarget = PartRequest | PartTarget | PartQuery

var variables = map[string]variable{
	"ARGS":                    {PartRequest | PartQuery | partArguments | PartBody, collection},
	"ARGS_NAMES":              {PartRequest | PartQuery | partArguments | PartBody, collection},
	"ARGS_GET":                {PartRequest | PartQuery | partArguments, collection},
	"ARGS_GET_NAMES":          {PartRequest | PartQuery | partArguments, collection},
	"ARGS_PATH":               {PartRequest | PartTarget, collection},
	"ARGS_POST":               {PartBody, collection},
	"ARGS_POST_NAMES":         {PartBody, collection},
	"ARGS_COMBINED_SIZE":      {PartRequest | PartQuery | partArguments | PartBody | PartBodyEnd, size},
	"AUTH_TYPE":               {PartOtherHeaders, text},
	"FILES":                   {PartBody, collection},
	"FILES_NAMES":             {PartBody, collection},
	"FILES_SIZES":             {PartBody | PartBodyEnd, collection},
	"FILES_TMPNAMES":          {PartBody, collection},
	"FILES_TMP_CONTENT":       {PartBody | PartBodyEnd, collection},
	"FILES_COMBINED_SIZE":     {PartBody | PartBodyEnd, size},
	"FULL_REQUEST":            {partWholeTarget | PartEscapes | PartProtocol | PartRequestHeaders | PartBody | PartBodyEnd, text},
	"FULL_REQUEST_LENGTH":     {partWholeTarget | PartEscapes | PartProtocol | PartRequestHeaders | PartBody | PartBodyEnd, size},
	"GEO":                     {PartClient, collection},
	"INBOUND_DATA_ERROR":      {PartBody | PartBodyEnd, flag},
	"JSON":                    {PartBody, collection},
	"MULTIPART_PART_HEADERS":  {PartBody, collection},
	"OUTBOUND_DATA_ERROR":     {PartResponseBody | PartResponseEnd, flag},
	"PATH_INFO":               {PartRequest | PartTarget, text},
	"QUERY_STRING":            {PartRequest | PartQuery, text},
	"REMOTE_ADDR":             {PartClient, text},
	"REMOTE_HOST":             {PartClient, text},
	"REMOTE_PORT":             {PartClient, text},
	"REMOTE_USER":             {PartOtherHeaders, text},
	"REQUEST_BASENAME":        {PartRequest | PartTarget, text},
	"REQUEST_BODY":            {PartBody, text},
	"REQUEST_BODY_LENGTH":     {PartBody | PartBodyEnd, size},
	"REQUEST_COOKIES":         {PartCookie, collection},
	"REQUEST_COOKIES_NAMES":   {PartCookie, collection},
	"REQUEST_FILENAME":        {PartRequest | PartTarget, text},
	"REQUEST_LINE":            {partWholeTarget | PartEscapes | PartProtocol, text},
	"REQUEST_METHOD":          {PartRequest, text},
	"REQUEST_PROTOCOL":        {PartProtocol, text},
	"REQUEST_URI":             {partWholeTarget, text},
	"REQUEST_URI_RAW":         {partWholeTarget, text},
	"REQUEST_XML":             {PartBody, collection},
	"RESPONSE_ARGS":           {PartResponseBody, collection},
	"RESPONSE_BODY":           {PartResponseBody, text},
	"RESPONSE_CONTENT_LENGTH": {PartResponseHeader, size},
	"RESPONSE_CONTENT_TYPE":   {PartResponseHeader, text},
	"RESPONSE_HEADERS":        {PartResponseHeader, collection},
	"RESPONSE_HEADERS_NAMES":  {PartResponseHeader, collection},
	"RESPONSE_PROTOCOL":       {PartResponseHeader, text},
	"RESPONSE_STATUS":         {PartStatus, text},
	"RESPONSE_XML":            {PartResponseBody, collection},
	"SERVER_ADDR":             {PartServer, text},
	"SERVER_NAME":             {PartHostName, text},
	"SERVER_PORT":             {PartServer, text},
	"STATUS_LINE":             {PartStatus, text},
	"URI_PARSE_ERROR":         {partWholeTarget | PartEscapes, flag},
	"URLENCODED_ERROR":        {partWholeTarget | PartEscapes | PartBody | PartBodyEnd, flag},
	"XML":                     {PartBody, collection},
}

// rawBodies are the TX variables that come from the record and not from rules.
var rawBodies = map[string]variable{
	seclang.RawRequestBody:  {PartBody, collection},
	seclang.RawResponseBody: {PartResponseBody, collection},
}

// variableOf returns what a target is made of. Variables that say nothing of the record have no parts.
func variableOf(name, key string) variable {
	switch name {
	case "REQUEST_HEADERS", "REQUEST_HEADERS_NAMES":
		if key == "" {
			return variable{parts: PartRequestHeaders}
		}
		return variable{parts: partOfHeader(key)}
	}
	if name == "TX" {
		return rawBodies[strings.ToLower(key)]
	}
	if v, known := variables[name]; known {
		return v
	}
	for _, prefix := range []string{"REQBODY_", "MULTIPART_"} {
		if strings.HasPrefix(name, prefix) {
			return variable{PartBody | PartBodyEnd, flag}
		}
	}
	if strings.HasPrefix(name, "RES_BODY_") || strings.HasPrefix(name, "RESBODY_") {
		return variable{PartResponseBody | PartResponseEnd, flag}
	}
	return variable{}
}

func partOfHeader(name string) Parts {
	switch strings.ToLower(name) {
	case "host":
		return PartHost
	case "user-agent":
		return PartUserAgent
	case "referer":
		return PartReferer
	case "cookie":
		return PartCookie
	case "accept":
		return PartAccept
	case "content-type":
		return PartContentType
	case "content-length":
		return PartContentLength
	case "transfer-encoding":
		return PartTransferEncoding
	}
	return PartOtherHeaders
}

// needTable names the needs that no rule text shows, by CRS rule id.
var needTable = map[int]reason{
	920350: {PartHost, "judges how the Host header was written, not which host answered"},
}

// newNeeds derives what the detection rules of a program need. alerting returns what is known of a rule, nil when it cannot alert.
func newNeeds(directives []seclang.Directive, alerting func(id int) *RuleInfo) (all []need) {
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

func newNeed(info *RuleInfo, chain []seclang.Rule) need {
	n := need{rule: info}
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
func (n *need) addLink(r *seclang.Rule, chain []seclang.Rule) {
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
		if parts == PartHost {
			parts = PartHostName // a comparison needs the name, however the header was written
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
func looksAt(r *seclang.Rule) (parts Parts) {
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

// idle reports whether a rule has nothing to look at when parts are absent.
func (n *need) idle(absent Parts) bool {
	return slices.ContainsFunc(n.looks, func(looks Parts) bool { return looks != 0 && looks&^absent == 0 })
}

var macroName = regexp.MustCompile(`%\{([A-Za-z_]+)(?:[.:]([^}]+))?\}`)

func (n *need) add(parts Parts, why string) {
	if n.parts |= parts; parts != 0 {
		n.reasons = append(n.reasons, reason{parts, why})
	}
}

// why returns the first reason for which a rule needs any of the unknown parts.
func (n *need) why(unknown Parts) string {
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
func misleading(r *seclang.Rule, t *seclang.Target) Parts {
	v := variableOf(t.Variable, t.Key)
	const ends = PartBodyEnd | PartResponseEnd
	parts := judgedEncoding(r, v.parts)
	switch {
	case t.Count:
		if r.Operator.Matches("0") || t.Key == "" && !r.Operator.Grows() {
			parts |= v.parts.withEnds() // what stands behind a cut is not counted
		}
	case v.kind == text && (r.Operator.Matches(emptyTransformed(r)) || t.Variable == "REQUEST_PROTOCOL" && r.Operator.Matches(madeUpProtocol)):
		parts |= v.parts
	case v.kind == text && v.parts&PartTarget != 0 && r.Operator.Matches(madeUpPath):
		parts |= PartTarget
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
func judgedEncoding(r *seclang.Rule, looksAt Parts) (parts Parts) {
	switch strings.ToLower(r.Operator.Name) {
	case "validateurlencoding":
		parts = PartEscapes | PartBodyEnd
	case "validatebyterange":
		if slices.ContainsFunc(r.All("t"), func(t string) bool { return strings.HasPrefix(strings.ToLower(t), "urldecode") }) {
			return 0
		}
		parts = PartEscapes
	case "validateutf8encoding":
		parts = PartBodyEnd
	}
	if looksAt&PartRequest == 0 {
		parts &^= PartEscapes
	}
	if looksAt&PartBody == 0 {
		parts &^= PartBodyEnd
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

// needsByID returns needs by the ids of their rules.
func needsByID(needs []need) map[int]*need {
	byID := make(map[int]*need, len(needs))
	for i := range needs {
		byID[needs[i].rule.ID] = &needs[i]
	}
	return byID
}

// leftOutIDs returns the rules that cannot judge a transaction of which parts are unknown. Of a record that is no HTTP
// transaction, only rules that have something to look at are left.
func leftOutIDs(needs []need, unknown Parts) (ids []int) {
	for i := range needs {
		if n := &needs[i]; n.parts&unknown != 0 || unknown&PartRequest != 0 && n.idle(unknown) {
			ids = append(ids, n.rule.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
