package sensitive

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCardsThatNobodyPaysWithAreNone(t *testing.T) {
	for _, card := range []string{
		"4242424242424242", "4000056655665556", "5555555555554444", "2223003122003222", "5200828282828210", "5105105105105100",
		"378282246310005", "371449635398431", "6011111111111117", "6011000990139424", "3056930009020004", "36227206271667",
		"3566002020360505", "6200000000000005", "4111111111111111", "4012888888881881", "4000000000009995", "4000002500003155",
		"30569309025904", "38520000023237", "3530111333300000", "5454545454545454", "5424000000000015", "4444333322221111",
		"4988438843884305", "4917610000000000003", "5577000055770004", "2222400070000005", "6243030000000001", "4539148803436467",
	} {
		require.True(t, Luhn(card), card)
		require.Empty(t, found(BareCard, card), card)
		require.Empty(t, found(LabeledCard, `{"card":"`+card+`"}`), card)
	}
	random := rand.New(rand.NewPCG(5, 6))
	specimens, cards := 0, 0
	for cards < 20_000 {
		var d number
		d.n = 16
		for i := range d.n {
			d.digit[i] = byte(random.IntN(10))
		}
		d.digit[0] = 4
		if d.luhn() {
			if cards++; d.isSpecimen() {
				specimens++
			}
		}
	}
	require.Less(t, specimens, cards/200, "random numbers that are taken for specimens")
}

func TestPlaceholdersAreToldFromSecrets(t *testing.T) {
	for _, placeholder := range []string{
		"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "ghp_xxxxxxxxxxxxxxxxxxxx", "YOUR_API_KEY_1", "sk_live_000000000000",
		"changeme", "${SECRET}", "<your secret>", "AKIA1234567890ABCDEF", "abcabcabcabcabc", "ghp_1234567890abcdefghijklmnopqrstuvwxyz",
		"T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX", "xoxb-your-token-here",
	} {
		require.True(t, IsPlaceholder(placeholder), placeholder)
	}
	random := rand.New(rand.NewPCG(7, 8))
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	wrong := 0
	for range 20_000 {
		var b strings.Builder
		for range 40 {
			b.WriteByte(letters[random.IntN(len(letters))])
		}
		if IsPlaceholder(b.String()) {
			wrong++
		}
	}
	require.Less(t, wrong, 40, "random secrets that are taken for placeholders")
	require.False(t, IsPlaceholder("xoxb-123456789012-aB3dE6gH9kLmN2pQ5rS8tUvX"))
}

func TestFieldsAroundAValue(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":{"b":[{"c":"@"}]}}`:      "c|_|b[]|a|_",
		`{"x":{"y":1},"z":"@"}`:        "z|_",
		`[{"c":"@"}]`:                  "c|_|_[]",
		`var s = {user: {token: '@'}}`: "token|user|s",
		`"cut":1},"author":{"jwt":"@`:  "jwt|author",
		"@":                            "_",
		`no fields @`:                  "_",
		`{"a":"Bearer @"}`:             "_|_",
		strings.Repeat("[", 3) + "@":   "_|_[]|_[]|_[]",
		`{"deep":{` + strings.Repeat("x", 9000) + "@": "_",
	} {
		var names []string
		at := strings.IndexByte(text, '@')
		enclosingFields(text, at, func(name string, list bool) bool {
			if name == "" {
				name = "_"
			}
			if list {
				name += "[]"
			}
			names = append(names, name)
			return true
		})
		require.Equal(t, want, strings.Join(names, "|"), "%.60s", text)
	}
}

// accepts reports what a check makes of the value between the marks « and ».
func accepts(accept Accept, text string) bool {
	before, rest, _ := strings.Cut(text, "«")
	value, after, _ := strings.Cut(rest, "»")
	return accept(before+value+after, len(before), len(before)+len(value))
}

func TestPasswordsAreToldFromLabelsAndExamples(t *testing.T) {
	for text, want := range map[string]bool{
		`{"user":"a","password":"«hunter22»"}`:                             true,
		`{"password":"«hunter22»","login":"a"}`:                            true,
		`{'db_password':'«s3cret!»'}`:                                      true,
		`{"items":[{"email":"a@b.example","password":"«Sommer2024»"}]}`:    true,
		`{"password":"«hunter22»"}`:                                        false,
		`{"email":"E-Mail","password":"«Passwort (8+ Zeichen)»"}`:          false,
		`{"email":"邮箱","password":"«密码至少8位»"}`:                             false,
		`{"example":{"user":"ana","password":"«P4ssw0rd»"}}`:               false,
		`{"errors":{"user":"E1","password":"«E1023»"}}`:                    false,
		`{"user":"a","resetPassword":"«/account/reset?v=2»"}`:              false,
		`{"user":"a","password":"«changeme1»"}`:                            false,
		`<pre>{"user":"a","password":"«hunter22»"}</pre>`:                  false,
		`<pre>x</pre>{"user":"a","password":"«hunter22»"}`:                 true,
		"```\n{\"user\":\"a\",\"password\":\"«hunter22»\"}\n```":           false,
		`{"properties":{"user":{"type":"x"},"password":"«pattern-1»"}}`:    false,
		`{"other":{"user":"a"},"form":{"password":"«abc12345»","n":"1"}}`:  false,
		`{"smtp":{"host":"mail","password":"«Tr0ub4dor»"},"user":{"a":1}}`: true,
	} {
		require.Equal(t, want, accepts(isPasswordField, text), text)
	}
	for text, want := range map[string]bool{
		"DB_PASSWORD=«s3cr3t-pw»":          true,
		"api_key: «9f8e7d6c5b»":            true,
		"VITE_API_KEY=«a1b2c3d4e5f6»":      false,
		"NEXT_PUBLIC_API_KEY=«a1b2c3d4e5»": false,
		"api_key=«pk_live_a1b2c3d4»":       false,
		"password: «string»":               false,
		"password: «changeme»":             false,
		"# for instance\npassword: «abc1»": true,
		"e.g. password: «abc1x»":           false,
		"api_key=«YOUR_API_KEY_1»":         false,
	} {
		require.Equal(t, want, accepts(isPasswordSetting, text), text)
	}
	for text, want := range map[string]bool{
		"postgres://«shop:s3cr3t»@db/x":           true,
		"https://«user:token»@git.example.com/":   false,
		"postgres://«user:password»@localhost/db": false,
		"amqp://«guest:guest»@rabbit":             false,
		"such as redis://«app:s3cr3t»@cache":      false,
		"redis://«:s3cr3t»@cache":                 true,
	} {
		require.Equal(t, want, accepts(isUserinfo, text), text)
	}
}

func TestKeysInSignedFormsAreNoSecrets(t *testing.T) {
	for text, want := range map[string]bool{
		`{"AccessKeyId":"«AKIAQ2W3E4R5T6Y7U8I9»"}`:                                            true,
		`{"fields":{"AWSAccessKeyId":"«AKIAQ2W3E4R5T6Y7U8I9»","policy":"x","signature":"y"}}`: false,
		`{"policy":"x","signature":"y","nested":{"key":"«AKIAQ2W3E4R5T6Y7U8I9»"}}`:            true,
		`{"key":"«AKIAIOSFODNN7EXAMPLE»"}`:                                                    false,
	} {
		require.Equal(t, want, accepts(isToken, text), text)
	}
}

func TestOutputBehindAPromptIsALog(t *testing.T) {
	for text, want := range map[string]bool{
		"«uid=0(root) gid=0(root)»":                            true,
		"PING x\n«uid=33(www-data) gid=33(www-data)»":          true,
		"$ id\n«uid=0(root) gid=0(root)»":                      false,
		"root@web:~# id\n«uid=0(root) gid=0(root)»":            false,
		"+ sudo -u app id\n«uid=9(app) gid=9(app)»":            false,
		"&gt; <b>id</b><br>«uid=0(root) gid=0(root)»":          false,
		"##[group]Run id\n«uid=1001(runner) gid=127(docker)»":  false,
		"$ identify x\n«uid=0(root) gid=0(root)»":              true,
		"$ id\n" + strings.Repeat("x", 200) + "«uid=0(root) »": true,
	} {
		require.Equal(t, want, accepts(Unprompted, text), text)
	}
}

func TestDumpsAreToldFromLists(t *testing.T) {
	rows := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for text, want := range map[string]bool{
		rows(15, "1,a%d@example.com\n"):                                      true,
		rows(15, "1;\"a%d@example.com\";x\r\n"):                              true,
		rows(15, "a%d@example.com\tx\n"):                                     true,
		rows(14, "1,a%d@example.com\n"):                                      false,
		rows(40, "A B <a%d@example.org>\n"):                                  false,
		rows(40, "a%d@example.org\n"):                                        false,
		rows(130, "a%d@example.org\n"):                                       true,
		"[" + rows(40, `{"email":"a%d@example.com"},`):                       false,
		"[" + rows(16, `{"email":"a%d@example.com","birth_date":"1990"},`):   true,
		"[" + rows(16, `{"email":"a%d@example.com","iban":"DE1"},`):          true,
		"[" + rows(16, `{"email":"a%d@example.com","passwordHint":true},`):   false,
		"[" + rows(130, `{"email":"a%d@example.com"},`):                      true,
		"<ul>" + rows(60, "<li>a%d@example.com</li>"):                        false,
		`{"to":"` + rows(20, "a%d@example.com,") + `","subject":"password"}`: false,
	} {
		require.Equal(t, want, found(EmailDump(15), text) != "", "%.60s", text)
	}
	require.NotEmpty(t, found(PhoneDump(15), rows(15, "1,+49 170 12345%02d\n")))
	require.Empty(t, found(PhoneDump(15), "["+rows(30, `{"phone":"+49 170 12345%02d"},`)))
	require.NotEmpty(t, found(PhoneDump(15), "["+rows(30, `{"phone":"+49 170 12345%02d","dob":"1990"},`)))
}

func FuzzEvidence(f *testing.F) {
	f.Add(`{"a":[{"user":"x","password":"hunter22"}],"e":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N"}`, 5)
	f.Add("<pre>```", 6)
	f.Fuzz(func(t *testing.T, text string, at int) {
		if at < 0 || at > len(text) {
			return
		}
		for _, accept := range Secrets {
			accept(text, at, len(text))
		}
		Unprompted(text, at, len(text))
		IsExample(text, at)
		for _, find := range []Finder{StrayToken, EmailDump(2), PhoneDump(2)} {
			if start, end := find(text); start >= 0 && (end <= start || end > len(text)) {
				t.Fatalf("%d to %d of %d", start, end, len(text))
			}
		}
	})
}
