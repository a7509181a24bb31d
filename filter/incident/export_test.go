package incident

// PlayWeek gives the tests of package digest the observations of a week; see newWeek.
func PlayWeek(seed uint64, days int, scale float64, see func(*Observation)) {
	newWeek(seed, days, scale).each(func(o *Observation, _ int) { see(o) })
}
