package sensitive

// NationalID returns the finder of the national ids of a country, by its code in lower case, and whether there is one. Ids
// that are bare digits with one check digit look like many other numbers: for them a text should be given that is known to
// hold an id.
func NationalID(country string) (Finder, bool) {
	c, known := countries[country]
	if !known {
		return nil, false
	}
	return c.find, true
}

// NationalDigits returns how many DigitsInARow each text has at least in which the finder of a country finds an id.
func NationalDigits(country string) int { return countries[country].digits }

// Countries are the codes that NationalID knows.
func Countries() []string {
	return []string{"at", "br", "ch", "cn", "de", "es", "fr", "in", "it", "jp", "kr", "nl", "pl", "se", "tr", "us"}
}

// country says how an id is written and checked.
type country struct {
	of    *class
	least int // length of the id in bytes
	most  int
	check func(s string) bool

	digits int // that each id has in a row, 0 for fewer than FewestDigits
}

var (
	dashed  = classOf(func(c byte) bool { return isDigit(c) || c == '-' })
	dotted  = classOf(func(c byte) bool { return isDigit(c) || c == '.' || c == '-' })
	spaced  = classOf(func(c byte) bool { return isDigit(c) || c == ' ' || c == 'A' || c == 'B' })
	plussed = classOf(func(c byte) bool { return isDigit(c) || c == '-' || c == '+' })
)

var countries = map[string]country{
	"at": {&digits, 10, 10, austrian, 10},
	"br": {&dotted, 11, 14, brazilian, 11},
	"ch": {&dotted, 16, 16, swiss, 13},
	"cn": {&alphanumeric, 18, 18, chinese, 17},
	"de": {&digits, 11, 11, german, 11},
	"es": {&alphanumeric, 9, 9, spanish, 7},
	"fr": {&spaced, 15, 21, french, 8},
	"in": {&spaced, 12, 14, indian, 12},
	"it": {&alphanumeric, 16, 16, italian, 0},
	"jp": {&digits, 12, 12, japanese, 12},
	"kr": {&dashed, 14, 14, korean, 13},
	"nl": {&digits, 9, 9, dutch, 9},
	"pl": {&digits, 11, 11, polish, 11},
	"se": {&plussed, 10, 13, swedish, 10},
	"tr": {&digits, 11, 11, turkish, 11},
	"us": {&dashed, 11, 11, american, 9},
}

func (c country) find(text string) (start, end int) {
	for at := 0; ; at = end {
		if start, end = c.of.run(text, at, c.least); start < 0 {
			return -1, -1
		}
		for start < end && !isAlphanumeric(text[start]) {
			start++
		}
		last := end
		for last > start && !isAlphanumeric(text[last-1]) {
			last--
		}
		n := last - start
		if n >= c.least && n <= c.most && standsAlone(text, start, last) && !isDecimal(text, start, last) && c.check(text[start:last]) &&
			!IsExample(text, start) {
			return start, last
		}
	}
}

// read takes the digits of an id that has a certain number of them.
func read(s string, n int) (d number, ok bool) {
	ok = d.read(s) && d.n == n && !d.same()
	return d, ok
}

// isDate reports whether a month and a day can be ones.
func isDate(month, day int) bool { return 1 <= month && month <= 12 && 1 <= day && day <= 31 }

// chinese: region, birth date, sequence, and a check character of ISO 7064 MOD 11-2.
func chinese(s string) bool {
	for i := range 17 {
		if !isDigit(s[i]) {
			return false
		}
	}
	d, ok := read(s[:17], 17)
	if !ok || d.value(0, 2) < 11 || d.value(0, 2) > 82 || !isDate(d.value(10, 12), d.value(12, 14)) {
		return false
	}
	if year := d.value(6, 10); year < 1900 || year > 2099 {
		return false
	}
	sum := d.weighted(7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
	last := s[17]
	if last == 'x' {
		last = 'X'
	}
	return last == "10X98765432"[sum%11]
}

// american: a social security number 123-45-6789 whose parts have been given out. It has no check digit.
func american(s string) bool {
	if s[3] != '-' || s[6] != '-' {
		return false
	}
	d, ok := read(s, 9)
	area, group, serial := d.value(0, 3), d.value(3, 5), d.value(5, 9)
	placeholder := area == 123 && group == 45 && serial == 6789 || area == 78 && group == 5 && serial == 1120 ||
		area == 219 && group == 9 && serial == 9999 || area == 457 && group == 55 && serial == 5462 // known from advertisements
	return ok && area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !placeholder
}

// french: sex, birth month, place, sequence, and a key modulo 97; spaces may separate the parts, Corsica has letters.
func french(s string) bool {
	var d number
	for i := range len(s) {
		c := s[i]
		if c == ' ' {
			continue
		}
		corsica := c == 'A' || c == 'B'
		if corsica && (d.n != 6 || d.digit[5] != 2) || d.n >= 15 {
			return false
		}
		if corsica { // 2A counts as 19, 2B as 18
			d.digit[5], c = 1, '9'-(c-'A')
		}
		d.digit[d.n] = c - '0'
		d.n++
	}
	month := d.value(3, 5)
	if d.n != 15 || d.digit[0] != 1 && d.digit[0] != 2 || month == 0 || month > 12 && month != 20 { // 20 stands for unknown
		return false
	}
	return d.value(0, 13)%97+d.value(13, 15) == 97 && d.value(7, 10) != 0
}

// italian: the codice fiscale, letters and digits with a check letter.
func italian(s string) bool {
	const pattern = "LLLLLLNNLNNLNNNL"
	sum := 0
	for i := range 16 {
		c := s[i] &^ 0x20
		if isDigit(s[i]) {
			c = s[i]
		}
		if (pattern[i] == 'L') != isLetter(c) || 'a' <= s[i] {
			return false
		}
		if i == 15 {
			break
		}
		v := int(c - '0')
		if isLetter(c) {
			v = int(c - 'A')
		}
		if i%2 == 0 {
			v = italianOdd[v]
		}
		sum += v
	}
	return s[15] == byte('A'+sum%26) && containsByte("ABCDEHLMPRST", s[8])
}

// italianOdd are the values of characters at odd places, counted from 1; those of digits are the first ten.
var italianOdd = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

func containsByte(s string, c byte) bool {
	for i := range len(s) {
		if s[i] == c {
			return true
		}
	}
	return false
}

// spanish: DNI (8 digits and a letter) or NIE (X, Y or Z, 7 digits and a letter), letter modulo 23.
func spanish(s string) bool {
	var first int
	switch {
	case isDigit(s[0]):
		first = int(s[0] - '0')
	case 'X' <= s[0] && s[0] <= 'Z':
		first = int(s[0] - 'X')
	default:
		return false
	}
	d, ok := read(s[1:8], 7)
	return ok && s[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[(first*10000000+d.value(0, 7))%23]
}

// polish: PESEL, birth date with the century in the month, and a check digit.
func polish(s string) bool {
	d, ok := read(s, 11)
	return ok && isDate(d.value(2, 4)%20, d.value(4, 6)) && d.weighted(1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)%10 == 0
}

// brazilian: CPF, two check digits modulo 11.
func brazilian(s string) bool {
	if len(s) != 11 && (len(s) != 14 || s[3] != '.' || s[7] != '.' || s[11] != '-') {
		return false
	}
	d, ok := read(s, 11)
	first := d.weighted(10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
	second := d.weighted(11, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
	return ok && int(d.digit[9]) == first && int(d.digit[10]) == second
}

// indian: Aadhaar, 12 digits with a check digit of Verhoeff; spaces may separate groups of four.
func indian(s string) bool {
	if len(s) != 12 && (len(s) != 14 || s[4] != ' ' || s[9] != ' ') {
		return false
	}
	d, ok := read(s, 12)
	if !ok || d.digit[0] < 2 {
		return false
	}
	check := byte(0)
	for i := range d.n {
		check = verhoeffProduct(check, verhoeffPermutation[i%8][d.digit[d.n-1-i]])
	}
	return check == 0
}

// verhoeffProduct multiplies in the dihedral group of order ten.
func verhoeffProduct(a, b byte) byte {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b-5)%5
	case b < 5:
		return 5 + (a-5+5-b)%5
	}
	return (a - 5 + 5 - (b - 5)) % 5
}

var verhoeffPermutation = [8][10]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
	{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
}

// dutch: BSN, the eleven test.
func dutch(s string) bool {
	d, ok := read(s, 9)
	return ok && d.weighted(9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0
}

// german: tax identification number, ISO 7064 MOD 11,10; one digit occurs two or three times among the first ten.
func german(s string) bool {
	d, ok := read(s, 11)
	if !ok || d.digit[0] == 0 {
		return false
	}
	var count [10]int
	product := 10
	for _, digit := range d.digit[:10] {
		count[digit]++
		sum := (int(digit) + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	repeated := 0
	for _, n := range count {
		if n > 3 {
			return false
		}
		if n > 1 {
			repeated++
		}
	}
	return repeated == 1 && (11-product)%10 == int(d.digit[10])
}

// swedish: personnummer, birth date and the check digit of Luhn over ten digits.
func swedish(s string) bool {
	var d number
	if !d.read(s) || d.n != 10 && d.n != 12 || d.same() {
		return false
	}
	if short := len(s) - d.n; short > 1 || short == 1 && s[len(s)-5] != '-' && s[len(s)-5] != '+' {
		return false
	}
	var ten number
	ten.n = copy(ten.digit[:10], d.digit[d.n-10:d.n])
	day := ten.value(4, 6)
	return isDate(ten.value(2, 4), day) && ten.luhn() && (d.n == 10 || d.value(0, 2) >= 18 && d.value(0, 2) <= 20)
}

// austrian: social insurance number, check digit at the fourth place, then the birth date.
func austrian(s string) bool {
	d, ok := read(s, 10)
	return ok && d.digit[0] != 0 && isDate(d.value(6, 8), d.value(4, 6)) &&
		d.weighted(3, 7, 9, 0, 5, 8, 4, 2, 1, 6)%11 == int(d.digit[3])
}

// swiss: AHV number 756.1234.5678.97, check digit of EAN-13.
func swiss(s string) bool {
	if s[3] != '.' || s[8] != '.' || s[13] != '.' {
		return false
	}
	d, ok := read(s, 13)
	return ok && d.value(0, 3) == 756 && d.weighted(1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)%10 == 0
}

// korean: resident registration number 900101-1234567, birth date, century and a check digit modulo 11.
func korean(s string) bool {
	if s[6] != '-' {
		return false
	}
	d, ok := read(s, 13)
	return ok && isDate(d.value(2, 4), d.value(4, 6)) && (11-d.weighted(2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)%11)%10 == int(d.digit[12])
}

// japanese: My Number, check digit modulo 11.
func japanese(s string) bool {
	d, ok := read(s, 12)
	check := 11 - d.weighted(6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11
	if check > 9 {
		check = 0
	}
	return ok && int(d.digit[11]) == check
}

// turkish: identity number, two check digits.
func turkish(s string) bool {
	d, ok := read(s, 11)
	odd := d.weighted(1, 0, 1, 0, 1, 0, 1, 0, 1)
	even := d.weighted(0, 1, 0, 1, 0, 1, 0, 1)
	return ok && d.digit[0] != 0 && ((7*odd-even)%10+10)%10 == int(d.digit[9]) &&
		(odd+even+int(d.digit[9]))%10 == int(d.digit[10])
}
