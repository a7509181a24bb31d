package variables

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// corazaReads gives the arguments that a body processor of Coraza's makes of a body, whether there were more than the limit, and
// whether it takes the body.
func corazaReads(t *testing.T, processor, body, contentType string, l *Limits) (arguments []Pair, cut, ok bool) {
	t.Helper()
	var v Values
	v.Reset(new([256]string))
	v.add(RequestHeaders, "Content-Type", contentType)
	ok = v.process(body, l, processor, &Bodies{})
	defer v.Release()
	return sorted(v.Pairs[ArgsPost]), v.Unread()&model.PartialArguments != 0, ok
}

func sorted(pairs []Pair) []Pair {
	pairs = slices.Clone(pairs)
	slices.SortFunc(pairs, func(a, b Pair) int {
		return strings.Compare(a.Key+"\x00"+a.Value, b.Key+"\x00"+b.Value)
	})
	return pairs
}

var wide = Limits{RequestBody: 1 << 20, Arguments: 1000, jsonDepth: 1024, ReadRequest: true}

func TestJSONBodiesAreReadAsCorazaReadsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	bodies := []string{"", "{}", "[]", "1", `"a"`, "null", "true", `{"a":1,"a":2,"A":[1,[],{},[null,true,"x"]]}`, `[[[]]]`, `{"":{"":""}}`,
		`{"a.b":{"c":1.50e3}}`, `{"a":"\u0041\n\ud83d\ude00"}`, ` { "a" : [ { "b" : "c" } ] } `, `{"a":1}x`, `{"a":`, `{"\u0061":1}`}
	pieces := []string{"{", "}", "[", "]", ",", ":", `"a"`, `"b.c"`, "1", "-2.5", "null", "true", `"\\"`, `"\u00e9"`, " ", `""`}
	for range 20000 {
		var b strings.Builder
		for range random.IntN(12) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		bodies = append(bodies, b.String(), document(random, 4))
	}
	read, beyond := 0, 0
	for i, body := range bodies {
		l := wide
		if i%4 > 1 {
			l.Arguments, l.jsonDepth = 1+random.IntN(4), 2+random.IntN(4)
		}
		var v Values
		v.Reset(new([256]string))
		ok := v.json(body, &l)
		want, wantCut, wantOK := corazaReads(t, "JSON", body, "application/json", &l)
		if !ok {
			continue // the engine evaluates, which is always right
		}
		read++
		require.True(t, wantOK, "%q", body)
		require.Equal(t, want, sorted(v.Pairs[ArgsPost]), "%q", body)
		require.Equal(t, wantCut, v.Unread()&model.PartialArguments != 0, "%q", body)
		if wantCut {
			beyond++
		}
	}
	require.Greater(t, read, 100)
	require.Greater(t, beyond, 10)
}

// document makes a random JSON value.
func document(random *rand.Rand, depth int) string {
	if depth == 0 || random.IntN(3) == 0 {
		return []string{"1", `""`, "null", `"x"`, "[]", "{}"}[random.IntN(6)]
	}
	var members []string
	isObject := random.IntN(2) == 0
	for range random.IntN(4) {
		member := document(random, depth-1)
		if isObject {
			member = []string{`"a":`, `"b":`, `"":`}[random.IntN(3)] + member
		}
		members = append(members, member)
	}
	if isObject {
		return "{" + strings.Join(members, ",") + "}"
	}
	return "[" + strings.Join(members, ",") + "]"
}

func TestJSONBodiesThatCorazaCannotReadAreLeftToTheEngine(t *testing.T) {
	narrow := Limits{Arguments: 3, jsonDepth: 4}
	for body, want := range map[string]bool{
		`{"a":1,"b":2,"c":3}`: true, `{"a":1,"b":2,"c":3,"d":4}`: true, `[[]]`: true, `{"a":{"b":{"c":{"d":1}}}}`: true,
		`{"a":{"b":{"c":{"d":{"e":1}}}}}`: false, `{"a":1,"b":2,"c":3,"d":4`: false,
	} {
		var v Values
		v.Reset(new([256]string))
		require.Equal(t, want, v.json(body, &narrow), "%s", body)
	}
	deep := `{"` + strings.Repeat("k", 3000) + `":{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9}}`
	var v Values
	v.Reset(new([256]string))
	require.False(t, v.json(deep, &wide), "names and values take more than eight times the size of the body")
}

func TestFormsAreReadAsCorazaReadsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 16))
	for range 3000 {
		text := strings.ReplaceAll(randomQuery(random, 40), "!", "=") + "&a=1%2b+&&=x&y=" + randomQuery(random, 9)
		var v Values
		v.Reset(new([256]string))
		v.arguments(ArgsPost, text, &wide)
		want, _, _ := corazaReads(t, "URLENCODED", text, "application/x-www-form-urlencoded", &wide)
		got := sorted(v.Pairs[ArgsPost])
		if hasFoldedDuplicates(got) {
			continue // Coraza keeps one of names that differ in case only; the prefilter looks at all
		}
		require.Equal(t, want, got, "%q", text)
	}
}

func hasFoldedDuplicates(pairs []Pair) bool {
	names := map[string]string{}
	for _, p := range pairs {
		lower := p.Key
		if before, found := names[lower]; found && before != p.Name {
			return true
		}
		names[lower] = p.Name
	}
	return false
}

// randomQuery returns a text of fewer bytes than a size.
func randomQuery(random *rand.Rand, size int) string {
	const alphabet = "abAB01 %+&\\/.:;,'\"^(#-<*>!\t\n\v\f\r\x00\x80\xc3\xa9\xe2\x84\xaa\xff"
	b := make([]byte, random.IntN(size))
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(b)
}
