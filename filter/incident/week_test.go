package incident

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// week makes the traffic of a cluster, with planted attacks and what looks like them. Everything depends on the seed alone.
type week struct {
	dice     *rand.Rand
	days     int
	scale    float64 // of the harmless traffic
	services []*service
	users    []*user
	plants   []*plant
	day      int64
	out      []planted
	poor     bool // logs show addresses, and neither credentials nor user agents nor sizes
}

// planted is an observation, and the attack that it belongs to, 0 for none.
type planted struct {
	Observation
	plant int
}

// plant is one attack.
type plant struct {
	kind  Kind
	about string
	start int64
	hop   int64 // time of the second hop of a pivot
	last  int64
	seen  int
}

type service struct {
	name, host string
	edge       bool
	login      bool
	cms        bool
	routes     []string // with %d where an id stands
	private    []int    // routes whose ids belong to one user
	public     []int
	needs      []*service // services that it calls
}

type user struct {
	address   string
	internal  bool
	principal uint64
	agent     string
	own       []int
	agentRole bool // works for support, and sees many customers
	editor    bool
	active    float64
}

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	oneDay = 24 * hour
	epoch  = 1_760_000_000_000
)

var browsers = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/139.0", "Mozilla/5.0 (Macintosh) Safari/18.4", "Mozilla/5.0 (X11) Firefox/141.0", "okhttp/4.12", "App/7.2 (iOS)",
}

func newWeek(seed uint64, days int, scale float64) *week {
	w := &week{dice: rand.New(rand.NewPCG(seed, 77)), days: days, scale: scale}
	for i := range 60 {
		s := &service{name: fmt.Sprintf("ns%d/svc%d", i/12, i), host: fmt.Sprintf("10.1.%d.%d", i/200, 10+i), edge: i < 12, login: i%6 == 0, cms: i == 3 || i == 7}
		s.routes = []string{"/", "/healthz", "/api/status", "/static/app.js"}
		for n := range 3 + w.dice.IntN(4) {
			thing := fmt.Sprintf("%s%d", pick(w.dice, []string{"orders", "users", "accounts", "invoices", "tickets"}), n)
			s.private = append(s.private, len(s.routes))
			s.routes = append(s.routes, "/api/"+thing+"/%d")
		}
		for n := range 1 + w.dice.IntN(3) {
			s.public = append(s.public, len(s.routes))
			s.routes = append(s.routes, fmt.Sprintf("/catalog%d/%%d", n))
		}
		s.routes = append(s.routes, "/reports/export", "/search")
		w.services = append(w.services, s)
	}
	for i, s := range w.services {
		for range 2 + w.dice.IntN(3) {
			if to := w.services[w.dice.IntN(60)]; to != s && (!to.edge || i < 12) {
				s.needs = append(s.needs, to)
			}
		}
	}
	for i := range 300 {
		u := &user{agent: pick(w.dice, browsers), principal: uint64(1000 + i), active: 0.3 + 1.4*w.dice.Float64()}
		switch {
		case i < 60: // behind three addresses
			u.address = fmt.Sprintf("203.0.113.%d", 1+i/20)
		case i < 110:
			u.address, u.internal = fmt.Sprintf("10.9.0.%d", i), true
			u.agentRole, u.editor = i < 70, i >= 70 && i < 75
		default:
			u.address = fmt.Sprintf("198.51.%d.%d", i%7, i)
		}
		if i%9 == 0 {
			u.principal = 0 // the log shows no credentials
		}
		for range 1 + w.dice.IntN(6) {
			u.own = append(u.own, w.dice.IntN(100000))
		}
		w.users = append(w.users, u)
	}
	return w
}

func pick[T any](d *rand.Rand, list []T) T { return list[d.IntN(len(list))] }

func (w *week) emit(o Observation) *planted {
	w.out = append(w.out, planted{Observation: o})
	return &w.out[len(w.out)-1]
}

func (w *week) times(n float64) int {
	n *= w.scale
	k := int(n)
	if w.dice.Float64() < n-float64(k) {
		k++
	}
	return k
}

// each calls see with the observations of the week in the order in which records arrive.
func (w *week) each(see func(*Observation, int)) {
	for d := range w.days {
		w.day = epoch + int64(d)*oneDay
		w.out = w.out[:0]
		w.ordinary()
		w.decoys(d)
		if d >= 1 {
			w.attacks(d)
		}
		arrival := func(p *planted) int64 { return p.Time + int64(uint64(p.Time*2654435761)%(20*second)) }
		if w.dice.IntN(2) == 0 { // some logs come nearly in order
			arrival = func(p *planted) int64 { return p.Time + int64(uint64(p.Time*2654435761)%second) }
		}
		slices.SortStableFunc(w.out, func(a, b planted) int { return cmp.Compare(arrival(&a), arrival(&b)) })
		for i := range w.out {
			if w.poor {
				o := &w.out[i].Observation
				o.Principal, o.Agent, o.Shape, o.Bytes = 0, "", 0, 0
			}
			see(&w.out[i].Observation, w.out[i].plant)
		}
	}
}

// clock returns a time of the day, more often by daylight.
func (w *week) clock() int64 {
	h := w.dice.NormFloat64()*4 + 13
	for h < 0 || h >= 24 {
		h = w.dice.Float64() * 24
	}
	return w.day + int64(h*hour)
}

func (s *service) ask(at int64, source, method, path string, status int) Observation {
	return Observation{Time: at, Source: source, Target: s.name, TargetHost: s.host, Method: method, Path: path, Status: status, Bytes: 900}
}

func (w *week) ordinary() {
	for _, u := range w.users {
		for range w.times(6 * u.active) {
			w.session(u, w.clock())
		}
	}
	for _, s := range w.services {
		for _, to := range s.needs {
			for range w.times(60) {
				o := to.ask(w.day+w.dice.Int64N(oneDay), s.host, "GET", "/api/status", 200)
				if len(to.private) > 0 && w.dice.IntN(2) == 0 {
					o.Path = fmt.Sprintf(to.routes[to.private[w.dice.IntN(len(to.private))]], w.dice.IntN(100000))
				}
				o.Internal, o.Agent, o.Principal = true, "Go-http-client/2.0", hash("service"+s.name)
				w.emit(o)
			}
		}
		for n := range w.times(96) {
			o := s.ask(w.day+int64(n)*oneDay/int64(w.times(96)+1), "10.0.0.2", "GET", "/healthz", 200)
			o.Internal, o.Agent = true, "kube-probe/1.33"
			w.emit(o)
		}
	}
}

// session is what a user does in some minutes.
func (w *week) session(u *user, at int64) {
	s := w.services[w.dice.IntN(12)]
	if u.internal && w.dice.IntN(2) == 0 {
		s = w.services[w.dice.IntN(60)]
	}
	send := func(method, path string, status int) *planted {
		at += w.dice.Int64N(20 * second)
		o := s.ask(at, u.address, method, path, status)
		o.Internal, o.Principal, o.Agent = u.internal, u.principal, u.agent
		return w.emit(o)
	}
	send("GET", "/", 200)
	if s.login {
		for w.dice.IntN(5) == 0 { // a forgotten password
			p := send("POST", "/login", 401)
			p.Principal = 0
		}
		send("POST", "/login", 200).Principal = 0
	}
	for range 3 + w.dice.IntN(12) {
		switch w.dice.IntN(10) {
		case 0:
			send("GET", "/static/app.js", 200)
		case 1, 2, 3:
			send("GET", fmt.Sprintf(s.routes[pick(w.dice, s.public)], int(w.dice.ExpFloat64()*60)), 200)
		case 4:
			p := send("GET", "/search?q=shoes", 200)
			if w.dice.IntN(60) == 0 { // text that looks like an attack
				p.Attack = alarm(pick(w.dice, []int{942100, 942190, 941100}), w.dice.Uint64())
			}
		case 5:
			send("GET", fmt.Sprintf("/old/page%d.html", int(w.dice.ExpFloat64()*20)), 404)
		default:
			id := pick(w.dice, u.own)
			if u.agentRole {
				id = w.dice.IntN(100000)
			}
			p := send("GET", fmt.Sprintf(s.routes[pick(w.dice, s.private)], id), 200)
			p.Bytes = int64(2000 + w.dice.ExpFloat64()*4000)
			if u.agentRole {
				p.Items = w.dice.IntN(12)
			}
		}
	}
	if w.dice.IntN(40) == 0 {
		send("GET", "/reports/export", 200).Bytes = int64(1e6 + w.dice.ExpFloat64()*6e6)
	}
	if u.editor && w.dice.IntN(2) == 0 {
		s = pick(w.dice, []*service{w.services[3], w.services[7]})
		path := fmt.Sprintf("/posts/%d", w.dice.IntN(500))
		for range 2 + w.dice.IntN(8) { // drafts are saved again and again
			at += 20 * second
			p := send("POST", path, 200)
			p.Attack = alarm(941100, w.dice.Uint64(), pick(w.dice, []int{941160, 941340, 941150, 942100}), pick(w.dice, []int{941160, 941340, 941110}))
		}
	}
}

var ruleCategories = map[int]string{920: "protocol", 930: "lfi", 932: "rce", 933: "injection-php", 934: "generic", 941: "xss", 942: "sqli", 944: "injection-java", 913: "reputation-scanner"}

func alarm(first int, values uint64, more ...int) *Attack {
	a := &Attack{Values: values | 1}
	for _, id := range append([]int{first}, more...) {
		a.Rules = append(a.Rules, Rule{ID: id, Category: ruleCategories[id/1000]})
	}
	a.Show = func() Sample { return Sample{Message: "rule", Outcome: "attempted"} }
	return a
}

var botPaths = []string{
	"/wp-login.php", "/.env", "/xmlrpc.php", "/.git/config", "/phpmyadmin/index.php", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "/boaform/admin/formLogin",
	"/actuator/health", "/owa/auth/logon.aspx", "/manager/html", "/solr/admin/info/system", "/.aws/credentials", "/cgi-bin/luci", "/HNAP1", "/login.action", "/config.json",
	"/server-status", "/backup.zip", "/admin/config.php", "/shell", "/_ignition/execute-solution", "/telescope/requests", "/robots.txt", "/ads.txt", "/sitemap.xml", "/favicon.ico",
	"/api/v1/pods", "/version", "/remote/login", "/dana-na/auth/url_default/welcome.cgi", "/sdk", "/evox/about", "/nmaplowercheck", "/Telerik.Web.UI.WebResource.axd", "/about.php",
	"/wp-content/plugins/hellopress/wp_filemanager.php", "/file.php", "/ae.php", "/fm.php", "/radio.php", "/wp-admin/css/colors/blue/index.php", "/alfa.php", "/goods.php", "/bypass.php", "/lock.php",
}

// decoys look like attacks.
func (w *week) decoys(d int) {
	for n := range w.times(300) { // bots from anywhere
		w.bot(fmt.Sprintf("45.%d.%d.%d", d, n/250, n%250))
	}
	for n := range 2 {
		w.crawler(fmt.Sprintf("66.249.66.%d", n+1))
	}
	w.batch("10.3.0.1", w.services[20], w.day+2*hour, 400+w.dice.IntN(400)) // every night
	w.batch("10.3.0.2", w.services[25], w.day+3*hour, 3000)
	if d == 3 {
		w.batch("10.3.0.3", w.services[30], w.day+5*hour, 1500) // for the first time
	}
	for n := range 2 { // robots that compare prices
		s := w.services[n]
		for id := range 800 {
			o := s.ask(w.day+int64(6+n)*hour+int64(id)*3*second, fmt.Sprintf("192.0.2.%d", 60+n), "GET", fmt.Sprintf(s.routes[s.public[0]], id), 200)
			o.Agent = "PriceBot/1.0"
			w.emit(o)
		}
	}
	if d == 2 || d == 5 { // a load test
		s := w.services[14]
		at := w.day + 10*hour
		for range 6000 {
			at += w.dice.Int64N(200)
			o := s.ask(at, "10.4.0.9", "GET", fmt.Sprintf(s.routes[s.private[0]], w.dice.IntN(5000)), 200)
			o.Internal, o.Agent = true, "k6/0.54"
			w.emit(o)
		}
	}
	w.expired(d)
	w.broken(d)
	w.deploy(d)
	for range w.times(24) { // a service whose requests hold SQL
		o := w.services[41].ask(w.day+w.dice.Int64N(oneDay), w.services[40].host, "POST", "/query", 200)
		o.Internal, o.Attack, o.Agent = true, alarm(942100, w.dice.Uint64(), 942190), "python-requests/2.32"
		w.emit(o)
	}
	for n := range 3 { // weekly exports of large reports
		if (d+n)%3 == 0 {
			s, u := w.services[n], w.users[200+n]
			for range 4 {
				o := s.ask(w.day+9*hour+int64(n)*hour+w.dice.Int64N(20*minute), u.address, "GET", "/reports/export", 200)
				o.Principal, o.Agent, o.Bytes = u.principal, u.agent, int64(4e6+w.dice.ExpFloat64()*4e6)
				w.emit(o)
			}
		}
	}
	if d == 4 { // an approved penetration test, which an exclusion names
		w.scan(0, "192.0.2.200", w.services[5], w.day+11*hour, 300, 2*second, false, "pentest")
	}
	w.echoes(d)
}

// echoes are attacks that a gateway passes on to the service behind it, whose record may come first.
func (w *week) echoes(d int) {
	for n := range w.times(30) {
		values, at := w.dice.Uint64(), w.clock()
		front, back := w.services[1], w.services[1].needs[0]
		o := front.ask(at, fmt.Sprintf("45.200.%d.%d", d, n), "GET", "/search?q=1", 200)
		o.Agent, o.Attack = pick(w.dice, browsers), alarm(942100, values)
		w.emit(o)
		shift := int64(30)
		if w.dice.IntN(2) == 0 {
			shift = -30
		}
		o = back.ask(at+shift, front.host, "GET", "/search?q=1", 200)
		o.Internal, o.Attack = true, alarm(942100, values)
		w.emit(o)
	}
}

func (w *week) bot(address string) {
	s, at := w.services[w.dice.IntN(12)], w.day+w.dice.Int64N(oneDay)
	agent := pick(w.dice, []string{"", "Mozilla/5.0 zgrab/0.x", "python-requests/2.32", "Go-http-client/1.1", browsers[0], "curl/8.5"})
	many := 1 + int(w.dice.ExpFloat64()*8)
	for range min(many, 45) {
		at += w.dice.Int64N(4 * second)
		path, status := pick(w.dice, botPaths), pick(w.dice, []int{404, 404, 404, 404, 403, 301, 400})
		if w.dice.IntN(6) == 0 {
			path, status = "/", 200
		}
		o := s.ask(at, address, "GET", path, status)
		o.Agent = agent
		if w.dice.IntN(8) == 0 { // exploits that are tried everywhere
			o.Path += "?x=%{jndi}"
			o.Attack = alarm(pick(w.dice, []int{944150, 932160, 930100, 933100, 920350}), w.dice.Uint64())
		}
		w.emit(o)
	}
}

func (w *week) crawler(address string) {
	s, at := w.services[w.dice.IntN(12)], w.day
	for range w.times(600) {
		at += w.dice.Int64N(200 * second)
		o := s.ask(at, address, "GET", fmt.Sprintf(s.routes[pick(w.dice, s.public)], w.dice.IntN(3000)), 200)
		if w.dice.IntN(5) == 0 {
			o.Path, o.Status = fmt.Sprintf("/archive/%s/%s.html", word(w.dice), word(w.dice)), 404
		}
		o.Agent = "Googlebot/2.1"
		w.emit(o)
	}
}

func word(d *rand.Rand) string {
	b := make([]byte, 3+d.IntN(7))
	for i := range b {
		b[i] = byte('a' + d.IntN(26))
	}
	return string(b)
}

func (w *week) batch(source string, s *service, at int64, ids int) {
	from := w.dice.IntN(50000)
	for n := range ids {
		o := s.ask(at+int64(n)*300, source, "GET", fmt.Sprintf(s.routes[s.private[0]], from+n), 200)
		o.Internal, o.Agent, o.Principal = true, "batch/1.0", hash("batch"+source)
		w.emit(o)
	}
}

// expired are clients whose token is not valid any more.
func (w *week) expired(d int) {
	u, s, at := w.users[130+d], w.services[d%12], w.clock()
	for range 400 {
		at += 5 * second
		o := s.ask(at, u.address, "GET", fmt.Sprintf(s.routes[s.private[0]], u.own[0]), 401)
		o.Principal, o.Agent = u.principal, u.agent
		w.emit(o)
		if w.dice.IntN(10) == 0 {
			o.Method, o.Path = "POST", "/oauth/token"
			w.emit(o)
		}
	}
	front := w.services[13+d]
	at = w.clock()
	for range 300 {
		at += 7 * second
		o := w.services[20+d].ask(at, front.host, "GET", "/api/status", 403)
		o.Internal = true
		w.emit(o)
	}
}

// broken are links and deployments that give many clients what looks like a search.
func (w *week) broken(d int) {
	s := w.services[d%12]
	var assets []string
	for range 25 {
		assets = append(assets, "/assets/"+word(w.dice)+".png")
	}
	begin := w.clock()
	for range w.times(60) {
		u, at := pick(w.dice, w.users), begin+w.dice.Int64N(2*hour)
		o := s.ask(at, u.address, "GET", "/", 200)
		o.Internal, o.Principal, o.Agent = u.internal, u.principal, u.agent
		w.emit(o)
		for i := range assets {
			o.Time, o.Path, o.Status = at+int64(i)*50, assets[i], 404
			w.emit(o)
		}
	}
	s = w.services[(d+5)%12]
	begin = w.clock()
	var gone []string
	for range 14 {
		gone = append(gone, "/v1/"+word(w.dice)+"/"+word(w.dice))
	}
	for range w.times(40) { // an app of which a new version asks for what is not deployed
		u, at := pick(w.dice, w.users), begin+w.dice.Int64N(2*hour)
		for i := range gone {
			o := s.ask(at+int64(i)*2*second, u.address, "GET", gone[i], 404)
			o.Internal, o.Principal, o.Agent = u.internal, u.principal, u.agent
			if i%2 == 0 {
				o.Path, o.Status = "/api/status", 200
			}
			w.emit(o)
		}
	}
	s = w.services[(d+3)%12]
	begin = w.clock()
	for range w.times(80) { // a deployment without its routes
		u := pick(w.dice, w.users)
		for range 12 {
			o := s.ask(begin+w.dice.Int64N(8*minute), u.address, "GET", fmt.Sprintf(s.routes[pick(w.dice, s.private)], pick(w.dice, u.own)), 404)
			o.Internal, o.Principal, o.Agent = u.internal, u.principal, u.agent
			w.emit(o)
		}
	}
}

// deploy gives services new needs, and new addresses to one.
func (w *week) deploy(int) {
	for range 3 {
		from, to := pick(w.dice, w.services), pick(w.dice, w.services[12:])
		from.needs = append(from.needs, to)
		at := w.clock()
		for n := range 40 {
			o := to.ask(at+int64(n)*20*second, from.host, "GET", "/api/status", 200)
			o.Internal, o.Agent, o.Principal = true, "Go-http-client/2.0", hash("service"+from.name)
			w.emit(o)
		}
	}
}
