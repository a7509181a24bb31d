package redact

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/sensitive"
)

// Rules must be sure that a number is a card; redaction must not miss one, and takes more numbers for cards. An alert about a card never
// shows it.
func TestEveryCardThatRulesFindIsRedacted(t *testing.T) {
	r, err := New(nil, "")
	require.NoError(t, err)
	found := map[string]int{}
	for prefix := 1000; prefix < 10000; prefix++ {
		for length := shortestCard; length <= longestCard; length++ {
			for _, separator := range []string{"", " ", "-"} {
				number := grouped(cardNumber(prefix, length), separator)
				if start, _ := sensitive.LabeledCard("card: " + number); start < 0 {
					continue
				}
				require.NotContains(t, r.Line("paid with "+number), number)
				found[number[:1]]++
			}
		}
	}
	for _, issuer := range []string{"2", "3", "4", "5", "6", "8"} {
		require.NotZero(t, found[issuer], "no number that begins with %s is a card: the test shows nothing", issuer)
	}
}

// cardNumber returns a number of so many digits with a valid check digit.
func cardNumber(prefix, length int) string {
	number := strconv.Itoa(prefix) + "918257309164582"[:length-5]
	for check := range 10 {
		if n := number + strconv.Itoa(check); sensitive.Luhn(n) {
			return n
		}
	}
	return ""
}

// grouped writes a number in groups of four digits.
func grouped(number, separator string) string {
	var groups []string
	for ; len(number) > 4; number = number[4:] {
		groups = append(groups, number[:4])
	}
	return strings.Join(append(groups, number), separator)
}
