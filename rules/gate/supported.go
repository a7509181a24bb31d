package gate

import (
	"github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// This file is the list of the constructs that the prefilter supports. What is not on it makes a rule a candidate for every
// transaction on which the links of its chain before that construct can match.

// kind says where the values of a target are found.
type kind uint8

const (
	ofSingle  kind = iota // one text
	ofPairs               // values of collections
	ofNames               // keys of collections; of the kinds so far the prefilter knows all values
	ofTX                  // TX variables
	ofMatched             // what the links of the chain before have matched
	ofSize                // ARGS_COMBINED_SIZE
	ofNothing             // Coraza never fills the variable
)

// source is a variable of SecLang as the prefilter knows it.
type source struct {
	kind        kind
	variable    variables.RuleVariable
	collections []collection
	from        int // phase from which on the variable has its value
}

// sources are the variables whose values the prefilter can compute, by name. Variables that Coraza never fills come besides: see neverFilled.
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

// Places of the bodies as they were logged among the single variables, behind those of Coraza.
const (
	rawRequest  variables.RuleVariable = 254
	rawResponse variables.RuleVariable = 255
)

// rawBodies are the TX variables that hold bodies as they were logged.
var rawBodies = map[string]source{
	seclang.RawRequestBody:  {variable: rawRequest, from: 2},
	seclang.RawResponseBody: {variable: rawResponse, from: 4},
}

// operators are the operators of Coraza that look at the value alone and change nothing, by name in lower case. Those that capture set TX:0
// to TX:9 besides. The project's own operators come besides: see Rules.Own.
var operators = map[string]struct{ captures bool }{
	"beginswith": {}, "contains": {}, "detectsqli": {captures: true}, "detectxss": {}, "endswith": {}, "eq": {}, "ge": {}, "gt": {},
	"ipmatch": {}, "ipmatchf": {}, "ipmatchfromdataset": {}, "ipmatchfromfile": {}, "le": {}, "lt": {}, "nomatch": {},
	"pm": {captures: true}, "pmf": {captures: true}, "pmfromdataset": {captures: true}, "pmfromfile": {captures: true},
	"rx": {captures: true}, "streq": {}, "strmatch": {}, "unconditionalmatch": {}, "validatebyterange": {}, "validateurlencoding": {},
	"validateutf8encoding": {}, "within": {},
}

// inert are actions that change neither which rules run nor what they see. Actions that Coraza reads once, such as id, msg and severity,
// do not reach the prefilter. Disruptive ones count by the rule that has them: with SecRuleEngine DetectionOnly they change nothing.
var inert = map[string]bool{
	"allow": true, "auditlog": true, "block": true, "capture": true, "chain": true, "deny": true, "drop": true, "log": true, "logdata": true, "multimatch": true,
	"noauditlog": true, "nolog": true, "pass": true, "redirect": true, "status": true, "t": true, "initcol": true, "expirevar": true,
}

// inertControls are ctl actions that change neither which rules run nor what they see.
var inertControls = map[string]bool{"auditEngine": true, "auditLogParts": true, "debugLogLevel": true}

// With multiMatch, Coraza goes by the changes that a transformation reports, and evaluates a rule once for each. These report a change
// exactly when the text changes.
var exactReports = map[string]bool{
	"cmdline": true, "compresswhitespace": true, "cssdecode": true, "escapeseqdecode": true, "jsdecode": true, "lowercase": true, "md5": true,
	"normalisepath": true, "normalisepathwin": true, "removecomments": true, "removecommentschar": true, "removenulls": true,
	"replacecomments": true, "replacenulls": true, "sha1": true, "trim": true, "trimleft": true, "trimright": true, "uppercase": true,
	"urldecodeuni": true, "urlencode": true, "utf8tounicode": true,
}

// surplusReports also report a change when the text stays as it is, so that Coraza evaluates it twice.
var surplusReports = map[string]bool{
	"base64decode": true, "base64decodeext": true, "base64encode": true, "hexdecode": true, "hexencode": true, "length": true, "urldecode": true,
}

// missingReports change some texts without reporting it; Coraza goes on with the text as it was.
var missingReports = map[string]bool{"htmlentitydecode": true, "removewhitespace": true}
