package corpus

import "strings"

// dice draws values that depend on nothing but its start: SplitMix64, which is the same on every platform and Go version.
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1.
func (d *dice) below(n int) int { return int(d.next() % uint64(n)) }

// between returns a number from low to high.
func (d *dice) between(low, high int) int { return low + d.below(high-low+1) }

func (d *dice) oneIn(n int) bool { return d.below(n) == 0 }

func (d *dice) pick(list []string) string { return list[d.below(len(list))] }

// draw returns n characters of an alphabet.
func (d *dice) draw(alphabet string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[d.below(len(alphabet))])
	}
	return b.String()
}

const (
	decimals  = "0123456789"
	hexDigits = "0123456789abcdef"
	base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	podLetter = "bcdfghjklmnpqrstvwxz2456789" // what Kubernetes makes generated names of
)

func (d *dice) hex(n int) string { return d.draw(hexDigits, n) }

func (d *dice) digits(n int) string { return d.draw(decimals[1:], 1) + d.draw(decimals, n-1) }

func (d *dice) uuid() string {
	return d.hex(8) + "-" + d.hex(4) + "-4" + d.hex(3) + "-a" + d.hex(3) + "-" + d.hex(12)
}

// jwt returns a token of the usual three parts; it is signed with nothing.
func (d *dice) jwt() string {
	return "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ" + d.draw(base64URL, d.between(80, 220)) + "." + d.draw(base64URL, 86)
}
