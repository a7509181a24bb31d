package model

import "strings"

// HasText reports whether a body of a media type can be text. Bodies that cannot are not given to rules as they were logged.
func HasText(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, "/")
	kind = strings.TrimSpace(kind)
	return !strings.EqualFold(kind, "image") && !strings.EqualFold(kind, "audio") && !strings.EqualFold(kind, "video") &&
		!strings.EqualFold(kind, "font")
}

// ContentType returns the last Content-Type header, "" when there is none. It reads names as Coraza does.
func ContentType(headers []Header) string {
	for i := len(headers) - 1; i >= 0; i-- {
		if strings.ToLower(headers[i].Name) == "content-type" {
			return headers[i].Value
		}
	}
	return ""
}
