package top

import (
	"fmt"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/mattn/go-runewidth"
)

// compact writes a number in at most six columns.
func compact(n uint64) string {
	switch {
	case n >= 1e12:
		return ">999G"
	case n >= 1e9:
		return fmt.Sprintf("%.4gG", float64(n/1e6)/1e3)
	case n >= 1e6:
		return fmt.Sprintf("%.4gM", float64(n/1e3)/1e3)
	case n >= 1e5:
		return fmt.Sprintf("%dk", n/1e3)
	}
	return cli.Grouped(n)
}

// perMinute writes a rate for a column, where all have the same unit.
func perMinute(perSecond float64) string {
	minute := perSecond * 60
	if minute > 0 && minute < 0.95 {
		return "<1"
	}
	return compact(uint64(minute + 0.5))
}

// perTime writes a rate with the unit in which it is a number to read: a second, a minute or an hour.
func perTime(perSecond float64) string {
	minute, hour := perSecond*60, perSecond*3600
	switch {
	case perSecond <= 0:
		return "0/s"
	case perSecond >= 99.95:
		return cli.Grouped(uint64(perSecond+0.5)) + "/s"
	case perSecond >= 0.95:
		return fmt.Sprintf("%.1f/s", perSecond)
	case minute >= 0.95:
		return fmt.Sprintf("%.0f/min", minute)
	case hour >= 0.95:
		return fmt.Sprintf("%.0f/h", hour)
	}
	return "<1/h"
}

// share writes a part of a whole, and does not round a few to none or to all.
func share(n, all uint64) string {
	percent := 100 * float64(n) / float64(max(all, 1))
	switch {
	case n > 0 && percent < 0.1:
		return "<0.1 %"
	case n < all && percent > 99.9:
		return ">99.9 %"
	case n == all || n == 0 || percent >= 99.95:
		return fmt.Sprintf("%.0f %%", percent)
	}
	return fmt.Sprintf("%.1f %%", percent)
}

// left returns text in exactly so many columns, right with spaces in front of it.
func left(text string, columns int) string {
	return runewidth.FillRight(runewidth.Truncate(text, columns, "…"), columns)
}

func right(text string, columns int) string {
	return runewidth.FillLeft(runewidth.Truncate(text, columns, "…"), columns)
}

// bars draws counts as bars, the largest as high as a line.
func bars(counts []uint64) string {
	const steps = "▁▂▃▄▅▆▇█"
	most := uint64(0)
	for _, n := range counts {
		most = max(most, n)
	}
	if most == 0 {
		return ""
	}
	var b strings.Builder
	levels := []rune(steps)
	for _, n := range counts {
		if n == 0 {
			b.WriteRune(' ')
			continue
		}
		b.WriteRune(levels[(n*uint64(len(levels))-1)/most])
	}
	return b.String()
}
