package corpus

import "fmt"

// browser returns the User-Agent of a browser of one of many versions.
func (d *dice) browser() string {
	major := d.between(96, 126)
	switch d.below(6) {
	case 0:
		return fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0", major, major)
	case 1:
		return fmt.Sprintf("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.%d Safari/605.1.15",
			d.between(14, 17), d.below(6))
	case 2:
		return fmt.Sprintf("Mozilla/5.0 (iPhone; CPU iPhone OS %d_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.0 Mobile/15E148 Safari/604.1",
			d.between(14, 17), d.below(7), d.between(14, 17))
	case 3:
		return fmt.Sprintf("Mozilla/5.0 (Linux; Android %d; SM-S9%d1B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.%d Mobile Safari/537.36",
			d.between(10, 14), d.below(4), major, d.between(4000, 6500), d.below(200))
	case 4:
		return fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.%d Safari/537.36 Edg/%d.0.%d.%d",
			major, d.between(4000, 6500), d.below(200), major, d.between(1000, 2500), d.below(99))
	default:
		return fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", major)
	}
}

// library returns the User-Agent of a program that calls another service.
func (d *dice) library() string {
	switch d.below(9) {
	case 0:
		return "okhttp/4." + d.draw("0123456789", 1) + "." + d.draw("012", 1)
	case 1:
		return "axios/1." + d.draw("01234567", 1) + ".2"
	case 2:
		return "Java/17.0." + fmt.Sprint(d.between(1, 11))
	case 3:
		return "Apache-HttpClient/4.5.13 (Java/11.0." + fmt.Sprint(d.between(10, 22)) + ")"
	case 4:
		return "Dart/3.2 (dart:io)"
	case 5:
		return "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)"
	case 6:
		return "ShopApp/" + fmt.Sprint(d.between(3, 9)) + "." + fmt.Sprint(d.below(20)) + " (Android 13; build " + d.digits(5) + ")"
	case 7:
		return "Faraday v2." + fmt.Sprint(d.below(9)) + ".0"
	default:
		return "GuzzleHttp/7"
	}
}

func (d *dice) person() string { return d.pick(firstNames) + " " + d.pick(lastNames) }

// email returns an address of plain letters.
func (d *dice) email() string {
	return d.draw("abcdefghiklmnoprstu", d.between(3, 9)) + "." + d.draw("abcdefghiklmnoprstu", d.between(3, 9)) + "@" + d.pick(domains)
}

// phone returns a number as people write it.
func (d *dice) phone() string {
	switch d.below(3) {
	case 0:
		return "+49 " + d.digits(3) + " " + d.digits(7)
	case 1:
		return "(" + d.draw("23456789", 3) + ") 555-01" + d.draw(decimals, 2)
	default:
		return "+33" + d.digits(9)
	}
}

// address returns a street and a house number.
func (d *dice) address() string { return fmt.Sprintf("%s %d", d.pick(streets), d.between(1, 240)) }

func (d *dice) price() string { return fmt.Sprintf("%d.%02d", d.between(1, 900), d.below(100)) }

// timestamp returns an RFC 3339 time of the corpus's month.
func (d *dice) timestamp() string {
	return fmt.Sprintf("2024-05-%02dT%02d:%02d:%02d.%03dZ", d.between(1, 30), d.below(24), d.below(60), d.below(60), d.below(1000))
}
