package seclang

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseIDs reads an id, or a range of ids such as 942100-942199.
func ParseIDs(part string) (low, high int, err error) {
	low, high, err = ParseRange(part)
	if err != nil || low < 1 || high < low {
		return 0, 0, fmt.Errorf("malformed rule %q (want an id or a range of ids such as 942100-942199)", part)
	}
	return low, high, nil
}

// ParseRange reads a number, or two with a dash between them.
func ParseRange(part string) (low, high int, err error) {
	first, last, isRange := strings.Cut(part, "-")
	low, err = strconv.Atoi(first)
	if high = low; err == nil && isRange {
		high, err = strconv.Atoi(last)
	}
	return low, high, err
}
