package incident

import "fmt"

// begin notes an attack that is planted.
func (w *week) begin(kind Kind, about string, at int64) int {
	w.plants = append(w.plants, &plant{kind: kind, about: about, start: at})
	return len(w.plants)
}

func (w *week) hit(plant int, o Observation) *planted {
	p := w.emit(o)
	p.plant = plant
	return p
}

// attacks plants a day's attacks. Each begins at its own time, from sources that attack nothing else that day.
func (w *week) attacks(d int) {
	n := 0
	address := func(from string) string { n++; return fmt.Sprintf(from, d*40+n) }
	outside := func() string { return address("185.7.9.%d") }
	inside := func() string { return address("10.66.0.%d") }
	front := func() *service { return w.services[w.dice.IntN(12)] }
	inner := func() *service { return w.services[12+w.dice.IntN(48)] }

	w.scan(w.begin(Campaign, "fast, from outside", w.clock()), outside(), front(), w.last(), 120, 2*second, false, "sqlmap/1.8")
	w.scan(w.begin(Campaign, "slow, from outside", w.clock()), outside(), front(), w.last(), 40, 4*minute, false, browsers[0])
	w.scan(w.begin(Campaign, "fast, from inside", w.clock()), inside(), inner(), w.last(), 40, 3*second, false, "curl/8.5")
	w.scan(w.begin(Campaign, "all refused", w.clock()), outside(), front(), w.last(), 80, second, true, "Wapiti")
	w.rotating(w.begin(Campaign, "rotating addresses", w.clock()), d, front(), w.last())

	w.search(w.begin(Probing, "fast, from outside", w.clock()), func() string { return "185.8.0." + fmt.Sprint(d) }, front(), w.last(), 120, second)
	w.search(w.begin(Probing, "every 20 s", w.clock()), func() string { return "185.8.1." + fmt.Sprint(d) }, front(), w.last(), 200, 20*second)
	w.search(w.begin(Probing, "every 2 min", w.clock()), func() string { return "185.8.2." + fmt.Sprint(d) }, front(), w.last(), 140, 2*minute)
	w.search(w.begin(Probing, "from inside", w.clock()), func() string { return "10.66.8." + fmt.Sprint(d) }, inner(), w.last(), 60, second)
	k := 0
	w.search(w.begin(Probing, "rotating addresses", w.clock()), func() string { k++; return fmt.Sprintf("185.%d.%d.7", 100+d, k/3) }, front(), w.last(), 150, 3*second)

	login := func() *service { return w.services[6*w.dice.IntN(2)] }
	w.guess(w.begin(BruteForce, "fast", w.clock()), func() string { return "185.9.0." + fmt.Sprint(d) }, login(), w.last(), 60, 2*second, false)
	w.guess(w.begin(BruteForce, "every minute", w.clock()), func() string { return "185.9.1." + fmt.Sprint(d) }, login(), w.last(), 90, minute, false)
	w.guess(w.begin(BruteForce, "that gets in", w.clock()), func() string { return "185.9.2." + fmt.Sprint(d) }, login(), w.last(), 40, 3*second, true)
	w.guess(w.begin(BruteForce, "one attempt from each address", w.clock()), func() string { k++; return fmt.Sprintf("186.%d.%d.%d", d, k/250, k%250) }, login(), w.last(), 120, 6*second, false)
	w.guess(w.begin(BruteForce, "from inside", w.clock()), func() string { return "10.66.9." + fmt.Sprint(d) }, w.services[12+6*w.dice.IntN(7)], w.last(), 40, second, false)

	w.sweep(w.begin(Spread, "from inside", w.clock()), inside(), w.last(), 5, 40*second)
	w.sweep(w.begin(Spread, "slow", w.clock()), inside(), w.last(), 6, 3*minute)

	w.chain(w.begin(Pivot, "two hops, attacks", w.clock()), outside(), w.last(), 2, false, false)
	w.chain(w.begin(Pivot, "four hops, attacks", w.clock()), outside(), w.last(), 4, false, false)
	w.chain(w.begin(Pivot, "new connection", w.clock()), outside(), w.last(), 2, true, false)
	w.chain(w.begin(Pivot, "over a connection in use", w.clock()), outside(), w.last(), 2, false, true)
	w.chain(w.begin(Pivot, "from inside", w.clock()), inside(), w.last(), 3, false, false)

	w.enumerates(w.begin(Enumeration, "fast", w.clock()), w.users[250+d], w.last(), 300, 500)
	w.enumerates(w.begin(Enumeration, "3 a minute", w.clock()), w.users[260+d], w.last(), 400, 20*second)
	w.enumerates(w.begin(Enumeration, "without credentials", w.clock()), &user{address: outside(), agent: browsers[1]}, w.last(), 250, second)
	w.enumerates(w.begin(Enumeration, "from a known address", w.clock()), w.users[5*d], w.last(), 250, 2*second)

	w.collects(w.begin(Disclosure, "bytes", w.clock()), w.users[270+d], w.last(), 60, 4e6, 0)
	w.collects(w.begin(Disclosure, "items", w.clock()), w.users[280+d], w.last(), 50, 2e4, 30)
}

// last returns the start of the attack that was begun last.
func (w *week) last() int64 { return w.plants[len(w.plants)-1].start }

// scan attacks what is there with many rules.
func (w *week) scan(plant int, source string, s *service, at int64, requests int, every int64, refused bool, agent string) {
	ids := []int{942100, 942190, 942360, 941100, 941160, 932160, 930100, 933160, 934130}
	for range requests {
		at += every/2 + w.dice.Int64N(every)
		o := s.ask(at, source, "GET", fmt.Sprintf(pick(w.dice, s.routes[4:len(s.routes)-1])+"?q=%d", w.dice.IntN(100), w.dice.IntN(9)), pick(w.dice, []int{200, 200, 500, 400}))
		if w.dice.IntN(4) > 0 {
			o.Path = "/search?q=x"
		}
		o.Agent, o.Internal = agent, source[:3] == "10."
		o.Attack = alarm(pick(w.dice, ids), w.dice.Uint64(), pick(w.dice, ids))
		if refused {
			o.Status, o.Attack.Refused = 403, true
		}
		if w.dice.IntN(5) == 0 {
			o.Attack = nil
		}
		w.hit(plant, o)
	}
}

func (w *week) rotating(plant, d int, s *service, at int64) {
	ids := []int{942100, 942190, 942360, 932160, 930100}
	for n := range 60 {
		at += w.dice.Int64N(50 * second)
		o := s.ask(at, fmt.Sprintf("%d.%d.7.%d", 90+n%50, d, n), "GET", "/search?q=x", 200)
		o.Agent, o.Shape = "Mozilla/5.0 (compatible; custom)", 99
		o.Attack = alarm(pick(w.dice, ids), w.dice.Uint64())
		w.hit(plant, o)
	}
}

func (w *week) search(plant int, source func() string, s *service, at int64, paths int, every int64) {
	for range paths {
		at += every/2 + w.dice.Int64N(every)
		path := "/" + word(w.dice)
		switch w.dice.IntN(4) {
		case 0:
			path = pick(w.dice, botPaths)
		case 1:
			path += "/" + word(w.dice)
		}
		from := source()
		o := s.ask(at, from, "GET", path, pick(w.dice, []int{404, 404, 404, 403}))
		o.Agent, o.Internal = "gobuster/3.6", from[:3] == "10."
		if w.dice.IntN(12) == 0 {
			o.Path, o.Status = "/", 200
		}
		w.hit(plant, o)
	}
}

func (w *week) guess(plant int, source func() string, s *service, at int64, attempts int, every int64, success bool) {
	from := ""
	for range attempts {
		at += every/2 + w.dice.Int64N(every)
		from = source()
		o := s.ask(at, from, "POST", "/login", 401)
		o.Agent, o.Internal = pick(w.dice, browsers), from[:3] == "10."
		w.hit(plant, o)
	}
	if success {
		o := s.ask(at+second, from, "POST", "/login", 200)
		w.hit(plant, o)
	}
}

func (w *week) sweep(plant int, source string, at int64, targets int, every int64) {
	first := 12 + w.dice.IntN(40)
	for n := range targets {
		at += every
		o := w.services[first+n].ask(at, source, "POST", "/api/status", 200)
		o.Internal, o.Agent, o.Attack = true, "curl/8.5", alarm(932160, w.dice.Uint64())
		w.hit(plant, o)
	}
}

// chain attacks a service, and from there the next.
func (w *week) chain(plant int, source string, at int64, hops int, quiet, inUse bool) {
	p := w.plants[plant-1]
	s := w.services[w.dice.IntN(12)]
	internal := source[:3] == "10."
	for n := range hops {
		path := fmt.Sprintf(s.routes[s.private[0]], n)
		o := s.ask(at, source, "POST", path, 200)
		o.Internal, o.Agent = internal || n > 0, "curl/8.5"
		if n == 0 { // the route is in use
			o.Method = "GET"
		}
		if !quiet || n == 0 {
			o.Attack = alarm(pick(w.dice, []int{932160, 934130, 944150}), w.dice.Uint64())
		}
		if n == 1 {
			p.hop = at
		}
		for range 1 + w.dice.IntN(2) {
			o.Time = at
			if o.Attack != nil {
				o.Attack = alarm(932160, w.dice.Uint64())
			}
			w.hit(plant, o)
			at += 5 * second
		}
		source = s.host
		next := w.services[12+w.dice.IntN(48)]
		for next == s || s.uses(next) {
			next = w.services[12+w.dice.IntN(48)]
		}
		if inUse {
			next = s.needs[0]
		}
		s = next
		at += minute + w.dice.Int64N(8*minute)
	}
}

func (s *service) uses(other *service) bool {
	for _, n := range s.needs {
		if n == other {
			return true
		}
	}
	return false
}

func (w *week) enumerates(plant int, u *user, at int64, ids int, every int64) {
	s, from := w.services[w.dice.IntN(12)], w.dice.IntN(50000)
	for n := range ids {
		at += every/2 + w.dice.Int64N(every)
		o := s.ask(at, u.address, "GET", fmt.Sprintf(s.routes[s.private[0]], from+n), 200)
		o.Principal, o.Agent = u.principal, u.agent
		w.hit(plant, o)
	}
}

func (w *week) collects(plant int, u *user, at int64, requests int, bytes, items int) {
	s := w.services[w.dice.IntN(12)]
	for range requests {
		at += w.dice.Int64N(40 * second)
		o := s.ask(at, u.address, "GET", fmt.Sprintf(s.routes[s.private[0]], u.own[0]), 200)
		o.Principal, o.Agent, o.Bytes, o.Items = u.principal, u.agent, int64(bytes), items
		w.hit(plant, o)
	}
}
