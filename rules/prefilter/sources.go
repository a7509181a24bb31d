package prefilter

import (
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

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
	variable    corazavariables.RuleVariable
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
	"MATCHED_VAR":                     {kind: ofMatched, variable: corazavariables.MatchedVar},
	"MATCHED_VARS":                    {kind: ofMatched},
	"ARGUMENTS_LIMIT_REACHED":         {variable: corazavariables.ArgumentsLimitReached, from: 2},
	"FILES_COMBINED_SIZE":             {variable: corazavariables.FilesCombinedSize, from: 2},
	"FULL_REQUEST_LENGTH":             {variable: corazavariables.FullRequestLength, from: 1},
	"INBOUND_DATA_ERROR":              {variable: corazavariables.InboundDataError, from: 2},
	"MULTIPART_DATA_AFTER":            {variable: corazavariables.MultipartDataAfter, from: 2},
	"MULTIPART_DUPLICATE_PART_HEADER": {variable: corazavariables.MultipartDuplicatePartHeader, from: 2},
	"MULTIPART_INVALID_QUOTING":       {variable: corazavariables.MultipartInvalidQuoting, from: 2},
	"MULTIPART_STRICT_ERROR":          {variable: corazavariables.MultipartStrictError, from: 2},
	"OUTBOUND_DATA_ERROR":             {variable: corazavariables.OutboundDataError, from: 4},
	"QUERY_STRING":                    {variable: corazavariables.QueryString, from: 1},
	"REMOTE_ADDR":                     {variable: corazavariables.RemoteAddr, from: 1},
	"REMOTE_PORT":                     {variable: corazavariables.RemotePort, from: 1},
	"REQBODY_ERROR":                   {variable: corazavariables.ReqbodyError, from: 2},
	"REQBODY_PROCESSOR":               {variable: corazavariables.ReqbodyProcessor, from: 2},
	"REQBODY_PROCESSOR_ERROR":         {variable: corazavariables.ReqbodyProcessorError, from: 2},
	"REQUEST_BASENAME":                {variable: corazavariables.RequestBasename, from: 1},
	"REQUEST_BODY":                    {variable: corazavariables.RequestBody, from: 2},
	"REQUEST_BODY_LENGTH":             {variable: corazavariables.RequestBodyLength, from: 2},
	"REQUEST_FILENAME":                {variable: corazavariables.RequestFilename, from: 1},
	"REQUEST_LINE":                    {variable: corazavariables.RequestLine, from: 1},
	"REQUEST_METHOD":                  {variable: corazavariables.RequestMethod, from: 1},
	"REQUEST_PROTOCOL":                {variable: corazavariables.RequestProtocol, from: 1},
	"REQUEST_URI":                     {variable: corazavariables.RequestURI, from: 1},
	"REQUEST_URI_RAW":                 {variable: corazavariables.RequestURIRaw, from: 1},
	"RESPONSE_BODY":                   {variable: corazavariables.ResponseBody, from: 4},
	"RESPONSE_CONTENT_LENGTH":         {variable: corazavariables.ResponseContentLength, from: 4},
	"RESPONSE_CONTENT_TYPE":           {variable: corazavariables.ResponseContentType, from: 3},
	"RESPONSE_PROTOCOL":               {variable: corazavariables.ResponseProtocol, from: 3},
	"RESPONSE_STATUS":                 {variable: corazavariables.ResponseStatus, from: 3},
	"SERVER_ADDR":                     {variable: corazavariables.ServerAddr, from: 1},
	"SERVER_NAME":                     {variable: corazavariables.ServerName, from: 1},
	"SERVER_PORT":                     {variable: corazavariables.ServerPort, from: 1},
	"URI_PARSE_ERROR":                 {variable: corazavariables.URIParseError, from: 1},
	"URLENCODED_ERROR":                {variable: corazavariables.UrlencodedError, from: 1},
}

// Places of the bodies as they were logged among the single variables, behind those of Coraza.
const (
	rawRequest  corazavariables.RuleVariable = 254
	rawResponse corazavariables.RuleVariable = 255
)

// rawBodies are the TX variables that hold bodies as they were logged.
var rawBodies = map[string]source{
	seclang.RawRequestBody:  {variable: rawRequest, from: 2},
	seclang.RawResponseBody: {variable: rawResponse, from: 4},
}
