package sensitive

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// found returns what a finder finds, "" when it finds nothing.
func found(find Finder, text string) string {
	start, end := find(text)
	if start < 0 {
		return ""
	}
	return text[start:end]
}

func TestLabeledCardsAreFound(t *testing.T) {
	for text, want := range map[string]string{
		`{"card":"4526018159083012"}`:                                     "4526018159083012",
		`{"card":{"holder":"A","number":"5382199351819096"}}`:             "5382199351819096",
		`{"pan":"371948757491189"}`:                                       "371948757491189",
		"card_number=4661318609139090&x=1":                                "4661318609139090",
		"Your Visa 4526 0181 5908 3012, thank you":                        "4526 0181 5908 3012",
		"4526-0181-5908-3012":                                             "4526-0181-5908-3012",
		"3719 487574 91189":                                               "3719 487574 91189",
		"<CardNumber>6011625276018957</CardNumber>":                       "6011625276018957",
		"卡号:6212559797114710495":                                          "6212559797114710495",
		"order 4526018159083013 paid with card 4526018159083012":          "4526018159083012",
		`{"n":"4526018159083012"}`:                                        "",
		`{"card":"4526018159083013"}`:                                     "",
		`{"card":"0000000000000000"}`:                                     "",
		`{"card":"4000000000000000"}`:                                     "",
		`{"card":"x4526018159083012"}`:                                    "",
		`{"card":"4526018159083012a"}`:                                    "",
		`{"card":"45260181590830120"}`:                                    "",
		`{"card":"1.4526018159083012"}`:                                   "",
		`{"card":"**** 1111","tracking":"4526018159083012"}`:              "",
		`{"payment":{"method":"card"},"order":"4526018159083012"}`:        "",
		"gift card order no. 4526018159083012":                            "",
		"4111 1111 1111 111":                                              "",
		"4111  1111 1111 1111":                                            "",
		"1234 5678 9012 3456":                                             "",
		strings.Repeat("4", 5000):                                         "",
		strings.Repeat("4111 ", 5000):                                     "",
		strings.Repeat("x", 3000) + " 4526 0181 5908 3012 " + "and more.": "4526 0181 5908 3012",
	} {
		require.Equal(t, want, found(LabeledCard, text), "%.80s", text)
	}
	require.Equal(t, "4526018159083012", found(BareCard, `{"n":"4526018159083012"}`))
	require.Empty(t, found(BareCard, `{"n":"4526018159083013"}`))
}

func TestListsOfCardsAreToldFromListsOfNumbers(t *testing.T) {
	cards := "4526018159083012,a\n5382199351819096,b\n4661318609139090,c\n"
	require.NotEmpty(t, found(CardList(3), cards))
	require.Empty(t, found(CardList(4), cards))
	require.Empty(t, found(CardList(3), strings.Repeat("4526018159083012,a\n", 3)), "one card is no list")
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var b strings.Builder
		for range 40 {
			b.WriteString("4")
			for range 15 {
				b.WriteByte(byte('0' + random.IntN(10)))
			}
			b.WriteString("\n")
		}
		require.Empty(t, found(CardList(5), b.String()))
	}
}

var ids = map[string][]string{
	"at": {"1237010180"},
	"br": {"529.982.247-25", "52998224725"},
	"ch": {"756.9217.0769.85"},
	"cn": {"11010519491231002X", "11010519491231002x"},
	"de": {"86095742719", "65929970489"},
	"es": {"12345678Z", "X1234567L"},
	"fr": {"184127645108946", "1 84 12 76 451 089 46", "2550814168025 38"},
	"in": {"999941057058", "9999 4105 7058"},
	"it": {"RSSMRA85T10A562S"},
	"jp": {"123456789018"},
	"kr": {"820701-2409181"},
	"nl": {"111222333"},
	"pl": {"44051401359"},
	"se": {"811228-9874", "8112289874", "19811228-9874"},
	"tr": {"10000000146"},
	"us": {"536-22-8726"},
}

func TestNationalIDsAreFoundByTheirCheckDigits(t *testing.T) {
	require.Len(t, Countries(), len(ids))
	for _, code := range Countries() {
		find, known := NationalID(code)
		require.True(t, known, code)
		require.NotEmpty(t, ids[code], code)
		for _, id := range ids[code] {
			require.Equal(t, id, found(find, "id: "+id+", and more"), code)
			require.Equal(t, id, found(find, id), code)
			require.Empty(t, found(find, "x"+id), code)
			require.Empty(t, found(find, id+"7"), code)
			if code == "us" {
				continue // has no check digit
			}
			wrong, all := 0, 0
			for i := range id {
				if !isDigit(id[i]) {
					continue
				}
				all++
				changed := id[:i] + string('0'+(id[i]-'0'+1)%10) + id[i+1:]
				if found(find, changed) == "" {
					wrong++
				}
			}
			require.GreaterOrEqual(t, wrong, all*7/10, "%s %s: changes of one digit that are noticed", code, id)
		}
	}
	_, known := NationalID("zz")
	require.False(t, known)
}

func TestRandomNumbersAreHardlyEverStrongIDs(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const tries = 200_000
	for code, limit := range map[string]int{"cn": 25, "it": 0, "ch": 0, "fr": 100} {
		find, _ := NationalID(code)
		hits := 0
		for range tries {
			n := 18
			if code == "fr" {
				n = 15
			}
			var b strings.Builder
			for range n {
				b.WriteByte(byte('0' + random.IntN(10)))
			}
			if found(find, b.String()) != "" {
				hits++
			}
		}
		require.LessOrEqual(t, hits, limit, code)
	}
}

func TestContactsAreCountedOnce(t *testing.T) {
	mails := "a@example.com, b.c@example.org; <d@mail.example.net>. A@EXAMPLE.COM"
	require.Equal(t, "a@example.com, b.c@example.org; <d@mail.example.net", found(Emails(3), mails))
	require.Empty(t, found(Emails(4), mails))
	require.Empty(t, found(Emails(1), "@example.com a@b user@localhost a@b.c @ @@"))

	phones := "+49 170 1234567\n+33612345678\n(212) 555-0123\n212-555-0199\n+49 170 1234567\n"
	require.NotEmpty(t, found(Phones(4), phones))
	require.Empty(t, found(Phones(5), phones))
	chinese := "13812345678,13912345679,18612345670"
	require.NotEmpty(t, found(Phones(3), chinese))
	require.Empty(t, found(Phones(3), chinese+",99912345678,88812345678,77712345678,22212345678"+"\n"+chinese), "most numbers are none")
	require.Empty(t, found(Phones(1), "1716873408123 2024-05-30 10.1.2.3 0.123456789012"))
}

func TestModSecurityChecks(t *testing.T) {
	require.True(t, Luhn("4526 0181 5908 3012"))
	require.True(t, Luhn("30569309025904"))
	require.False(t, Luhn("4526018159083013"))
	require.False(t, Luhn("0000000000000000"))
	require.False(t, Luhn("79927398713"), "too short for a card")
	require.False(t, Luhn(strings.Repeat("1", 40)))
}

func TestMaskHidesTheMiddle(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "abc": "***", "hunter2": "*******", "12345678Z": "12*******", "4526018159083012": "4526********3012",
		"AKIAIOSFODNN7EXAMPLE": "AKIA************MPLE", "密码密码密码密码密码密码密码密码": "密码密码********密码密码",
		strings.Repeat("k", 500): "kkkk************kkkk",
	} {
		require.Equal(t, want, Mask(text))
	}
}

func TestFindersAllocateNothing(t *testing.T) {
	text := strings.Repeat(`{"id":"8f0e","card":"4526018159083013","mail":"a@example.com","phone":"+49 170 1234567","n":123456789012345678},`, 20)
	finders := []Finder{LabeledCard, BareCard, CardList(3), Emails(10), Phones(10)}
	for _, code := range Countries() {
		find, _ := NationalID(code)
		finders = append(finders, find)
	}
	for i, find := range finders {
		require.Zero(t, testing.AllocsPerRun(10, func() { find(text) }), "finder %d", i)
	}
}

func FuzzFinders(f *testing.F) {
	for _, list := range ids {
		f.Add("a " + list[0] + " b")
	}
	f.Add("4111 1111-1111 1111 +49170 (212) 555-0123 a@b.cd")
	f.Fuzz(func(t *testing.T, text string) {
		finders := []Finder{LabeledCard, BareCard, CardList(2), Emails(2), Phones(2)}
		for _, code := range Countries() {
			find, _ := NationalID(code)
			finders = append(finders, find)
		}
		for _, find := range finders {
			if start, end := find(text); start >= 0 && (end <= start || end > len(text)) {
				t.Fatalf("%d to %d of %d", start, end, len(text))
			}
		}
		Mask(text)
	})
}

func BenchmarkFinders(b *testing.B) {
	body := strings.Repeat(`{"id":"8f0e1c22-77aa-4b5e-9f3d-2f6f0a9f1b77","name":"walnut desk","price":129.95,"at":"2024-05-30T07:16:48Z"},`, 92)
	for name, find := range map[string]Finder{"card": LabeledCard, "bare": BareCard, "cards": CardList(3), "emails": Emails(10), "phones": Phones(10),
		"cn": countries["cn"].find, "us": countries["us"].find, "it": countries["it"].find, "fr": countries["fr"].find} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for range b.N {
				find(body)
			}
		})
	}
}

func TestDigitsInARow(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "none": 0, "a1234567": 7, "123456": 0, "12 34-5.67": 7, "(212) 555-0123": 10, "2024-05-26T23:13:25": 8, "1234,5678": 0,
		"1234\n5678": 0, "1234567,12345678": 8, "12345678,1234567": 8, "- - - - 123": 0, "é1234567é": 7, "1": 0, "1234567": 7,
	} {
		require.Equal(t, want, DigitsInARow(text), text)
	}
}

// Those who ask for the digits first leave the finders out where there are fewer.
func TestFindingsHaveDigitsInARow(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	findings := map[string]int{}
	check := func(name string, find Finder, text string, digits int) {
		if finding := found(find, text); finding != "" {
			findings[name]++
			require.GreaterOrEqual(t, DigitsInARow(finding), digits, "%s in %q", name, finding)
		}
	}
	checkAll := func(text string) {
		for _, country := range Countries() {
			find, _ := NationalID(country)
			check(country, find, text, NationalDigits(country))
		}
		check("card", BareCard, text, CardDigits)
		check("labeled card", LabeledCard, "card: "+text, CardDigits)
		check("list of cards", CardList(1), text, CardDigits)
		check("phone", Phones(1), text, PhoneDigits)
	}
	for _, country := range Countries() {
		for _, id := range ids[country] {
			checkAll(id)
		}
	}
	const bytes = "0123456789012345678901234567890123456789 -.+()/AB"
	for range 200_000 {
		text := make([]byte, 9+random.IntN(14))
		for i := range text {
			text[i] = bytes[random.IntN(len(bytes))]
		}
		checkAll(string(text))
		for i := range text {
			text[i] = byte('0' + random.IntN(10))
		}
		checkAll(string(text))
	}
	for _, text := range []string{"4526 0181 5908 3012", "+49 (30) 1234-567", "212.555.0123", "(212) 555-0123"} {
		checkAll(text)
	}
	for _, name := range append(Countries(), "card", "labeled card", "list of cards", "phone") {
		require.NotZero(t, findings[name], name)
	}
}
