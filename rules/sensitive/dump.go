package sensitive

import (
	"regexp"
	"strings"
)

// dumpFactor is how many times more contacts than in a table a document has that is not one, to be a dump.
const dumpFactor = 8

// EmailDump and PhoneDump return finders of contacts in bulk: a table with at least some different ones, one or more a row, or a document
// with the same number and with what nobody shows in a list of colleagues or recipients, or with many times as many.
func EmailDump(least int) Finder {
	return dump(Emails(least), Emails(min(MaxDistinct, least*dumpFactor)), rowsWithEmail, least)
}

// PhoneDump is EmailDump for phone numbers.
func PhoneDump(least int) Finder {
	return dump(Phones(least), Phones(min(MaxDistinct, least*dumpFactor)), rowsWithPhone, least)
}

func dump(some, many Finder, rows func(text string, least int) bool, least int) Finder {
	return func(text string) (start, end int) {
		if start, end = some(text); start < 0 {
			return -1, -1
		}
		if isDocument(text) {
			if !private.MatchString(text) {
				return many(text)
			}
			return start, end
		}
		if !rows(text, least) {
			return many(text)
		}
		return start, end
	}
}

// private is a field of what is not shown in a list of colleagues or recipients.
var private = regexp.MustCompile(`(?i)["'](?:[\w-]*_)?(?:birth\w*|dob|date_?of_?birth|ssn|social_?security\w*|passport\w*|iban|salary|tax_?id|national_?id|` +
	`password\w*|card_?number|street\w*|zip(?:_?code)?|post(?:al)?_?code|home_?address)["']\s*:\s*["'\d{]`)

// isDocument reports whether a text is JSON, XML or HTML.
func isDocument(text string) bool {
	text = strings.TrimLeft(text, " \t\r\n\ufeff")
	return text != "" && strings.IndexByte("{[<", text[0]) >= 0
}

// rowsWithEmail reports whether some rows of a table have a mail address in a cell.
func rowsWithEmail(text string, least int) bool {
	return rowsWith(text, least, func(line string) bool {
		at := strings.IndexByte(line, '@')
		if at < 0 {
			return false
		}
		start, end := mailAround(line, at)
		return start >= 0 && isCell(line, start, end)
	})
}

func rowsWithPhone(text string, least int) bool {
	return rowsWith(text, least, func(line string) bool {
		start, end, _, is := nextPhone(line, 0)
		return is && isCell(line, start, end)
	})
}

// rowsWith counts the lines that are rows.
func rowsWith(text string, least int, is func(line string) bool) bool {
	for text != "" && least > 0 {
		line := text
		if at := strings.IndexByte(text, '\n'); at >= 0 {
			line, text = text[:at], text[at+1:]
		} else {
			text = ""
		}
		if is(strings.TrimSuffix(line, "\r")) {
			least--
		}
	}
	return least == 0
}

// isCell reports whether line[start:end] fills a cell, and is not all of the line.
func isCell(line string, start, end int) bool {
	const separators = ",;\t|"
	before, after := strings.Trim(line[:start], "\"' "), strings.Trim(line[end:], "\"' ")
	if before == "" && after == "" {
		return false
	}
	return (before == "" || strings.IndexByte(separators, before[len(before)-1]) >= 0) && (after == "" || strings.IndexByte(separators, after[0]) >= 0)
}
