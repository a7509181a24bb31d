package incident

// PlayWeek calls see for each observation of a generated week, for tests that import what imports this package. See newWeek.
func PlayWeek(seed uint64, days int, scale float64, see func(*Observation)) {
	newWeek(seed, days, scale).each(func(o *Observation, _ int) { see(o) })
}
