package variables

import (
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// kind says where the values of a target are found.
type kind uint8

const (
	OfSingle  kind = iota // one text
	OfPairs               // values of collections
	OfNames               // keys of collections; of the kinds so far the prefilter knows all values
	OfTX                  // TX variables
	OfMatched             // what the links of the chain before have matched
	OfSize                // ARGS_COMBINED_SIZE
	OfNothing             // Coraza never fills the variable
)

// Source is a variable of SecLang as the prefilter knows it.
type Source struct {
	Kind        kind
	Variable    corazavariables.RuleVariable
	Collections []Collection
	From        int // phase from which on the variable has its value
}

// Sources are the variables whose values the prefilter can compute, by name. Variables that Coraza never fills come besides: see neverFilled.
var Sources = map[string]Source{
	"ARGS":                            {Kind: OfPairs, Collections: []Collection{argsGet, ArgsPost}, From: 1},
	"ARGS_GET":                        {Kind: OfPairs, Collections: []Collection{argsGet}, From: 1},
	"ARGS_POST":                       {Kind: OfPairs, Collections: []Collection{ArgsPost}, From: 2},
	"ARGS_NAMES":                      {Kind: OfNames, Collections: []Collection{argsGet, ArgsPost}, From: 1},
	"ARGS_GET_NAMES":                  {Kind: OfNames, Collections: []Collection{argsGet}, From: 1},
	"ARGS_POST_NAMES":                 {Kind: OfNames, Collections: []Collection{ArgsPost}, From: 2},
	"ARGS_COMBINED_SIZE":              {Kind: OfSize, From: 2},
	"REQUEST_HEADERS":                 {Kind: OfPairs, Collections: []Collection{RequestHeaders}, From: 1},
	"REQUEST_HEADERS_NAMES":           {Kind: OfNames, Collections: []Collection{RequestHeaders}, From: 1},
	"REQUEST_COOKIES":                 {Kind: OfPairs, Collections: []Collection{requestCookies}, From: 1},
	"REQUEST_COOKIES_NAMES":           {Kind: OfNames, Collections: []Collection{requestCookies}, From: 1},
	"RESPONSE_HEADERS":                {Kind: OfPairs, Collections: []Collection{ResponseHeaders}, From: 3},
	"RESPONSE_HEADERS_NAMES":          {Kind: OfNames, Collections: []Collection{ResponseHeaders}, From: 3},
	"FILES":                           {Kind: OfPairs, Collections: []Collection{files}, From: 2},
	"FILES_NAMES":                     {Kind: OfPairs, Collections: []Collection{filesNames}, From: 2},
	"FILES_SIZES":                     {Kind: OfPairs, Collections: []Collection{filesSizes}, From: 2},
	"MULTIPART_PART_HEADERS":          {Kind: OfPairs, Collections: []Collection{PartHeaders}, From: 2},
	"MULTIPART_FILENAME":              {Kind: OfPairs, Collections: []Collection{multipartFilename}, From: 2},
	"MULTIPART_NAME":                  {Kind: OfPairs, Collections: []Collection{multipartName}, From: 2},
	"XML":                             {Kind: OfPairs, Collections: []Collection{xml}, From: 2},
	"REQUEST_XML":                     {Kind: OfPairs, Collections: []Collection{xml}, From: 2},
	"TX":                              {Kind: OfTX},
	"MATCHED_VAR":                     {Kind: OfMatched, Variable: corazavariables.MatchedVar},
	"MATCHED_VARS":                    {Kind: OfMatched},
	"ARGUMENTS_LIMIT_REACHED":         {Variable: corazavariables.ArgumentsLimitReached, From: 2},
	"FILES_COMBINED_SIZE":             {Variable: corazavariables.FilesCombinedSize, From: 2},
	"FULL_REQUEST_LENGTH":             {Variable: corazavariables.FullRequestLength, From: 1},
	"INBOUND_DATA_ERROR":              {Variable: corazavariables.InboundDataError, From: 2},
	"MULTIPART_DATA_AFTER":            {Variable: corazavariables.MultipartDataAfter, From: 2},
	"MULTIPART_DUPLICATE_PART_HEADER": {Variable: corazavariables.MultipartDuplicatePartHeader, From: 2},
	"MULTIPART_INVALID_QUOTING":       {Variable: corazavariables.MultipartInvalidQuoting, From: 2},
	"MULTIPART_STRICT_ERROR":          {Variable: corazavariables.MultipartStrictError, From: 2},
	"OUTBOUND_DATA_ERROR":             {Variable: corazavariables.OutboundDataError, From: 4},
	"QUERY_STRING":                    {Variable: corazavariables.QueryString, From: 1},
	"REMOTE_ADDR":                     {Variable: corazavariables.RemoteAddr, From: 1},
	"REMOTE_PORT":                     {Variable: corazavariables.RemotePort, From: 1},
	"REQBODY_ERROR":                   {Variable: corazavariables.ReqbodyError, From: 2},
	"REQBODY_PROCESSOR":               {Variable: corazavariables.ReqbodyProcessor, From: 2},
	"REQBODY_PROCESSOR_ERROR":         {Variable: corazavariables.ReqbodyProcessorError, From: 2},
	"REQUEST_BASENAME":                {Variable: corazavariables.RequestBasename, From: 1},
	"REQUEST_BODY":                    {Variable: corazavariables.RequestBody, From: 2},
	"REQUEST_BODY_LENGTH":             {Variable: corazavariables.RequestBodyLength, From: 2},
	"REQUEST_FILENAME":                {Variable: corazavariables.RequestFilename, From: 1},
	"REQUEST_LINE":                    {Variable: corazavariables.RequestLine, From: 1},
	"REQUEST_METHOD":                  {Variable: corazavariables.RequestMethod, From: 1},
	"REQUEST_PROTOCOL":                {Variable: corazavariables.RequestProtocol, From: 1},
	"REQUEST_URI":                     {Variable: corazavariables.RequestURI, From: 1},
	"REQUEST_URI_RAW":                 {Variable: corazavariables.RequestURIRaw, From: 1},
	"RESPONSE_BODY":                   {Variable: corazavariables.ResponseBody, From: 4},
	"RESPONSE_CONTENT_LENGTH":         {Variable: corazavariables.ResponseContentLength, From: 4},
	"RESPONSE_CONTENT_TYPE":           {Variable: corazavariables.ResponseContentType, From: 3},
	"RESPONSE_PROTOCOL":               {Variable: corazavariables.ResponseProtocol, From: 3},
	"RESPONSE_STATUS":                 {Variable: corazavariables.ResponseStatus, From: 3},
	"SERVER_ADDR":                     {Variable: corazavariables.ServerAddr, From: 1},
	"SERVER_NAME":                     {Variable: corazavariables.ServerName, From: 1},
	"SERVER_PORT":                     {Variable: corazavariables.ServerPort, From: 1},
	"URI_PARSE_ERROR":                 {Variable: corazavariables.URIParseError, From: 1},
	"URLENCODED_ERROR":                {Variable: corazavariables.UrlencodedError, From: 1},
}

// Places of the bodies as they were logged among the single variables, behind those of Coraza.
const (
	RawRequest  corazavariables.RuleVariable = 254
	RawResponse corazavariables.RuleVariable = 255
)

// RawBodies are the TX variables that hold bodies as they were logged.
var RawBodies = map[string]Source{
	seclang.RawRequestBody:  {Variable: RawRequest, From: 2},
	seclang.RawResponseBody: {Variable: RawResponse, From: 4},
}
