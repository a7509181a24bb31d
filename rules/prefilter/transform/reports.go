package transform

// ExactReports are the transformations that report a change exactly when the text changes. With multiMatch, Coraza goes by the changes
// that are reported, and evaluates a rule once for each.
var ExactReports = map[string]bool{
	"cmdline": true, "compresswhitespace": true, "cssdecode": true, "escapeseqdecode": true, "jsdecode": true, "lowercase": true, "md5": true,
	"normalisepath": true, "normalisepathwin": true, "removecomments": true, "removecommentschar": true, "removenulls": true,
	"replacecomments": true, "replacenulls": true, "sha1": true, "trim": true, "trimleft": true, "trimright": true, "uppercase": true,
	"urldecodeuni": true, "urlencode": true, "utf8tounicode": true,
}

// SurplusReports also report a change when the text stays as it is, so that Coraza evaluates it twice.
var SurplusReports = map[string]bool{
	"base64decode": true, "base64decodeext": true, "base64encode": true, "hexdecode": true, "hexencode": true, "length": true, "urldecode": true,
}

// MissingReports change some texts without reporting it; Coraza goes on with the text as it was.
var MissingReports = map[string]bool{"htmlentitydecode": true, "removewhitespace": true}
