package incident

import "fmt"

// breaches are the categories of rules that find no attack, but a client that does not keep to the protocol, or has a bad name.
var breaches = map[string]bool{"protocol": true, "reputation-scanner": true, "reputation-ip": true, "multipart-header": true, "deprecated-header": true, "dos": true, "generic": true}

// breach reports whether a rule finds no attack. Engine rules (200xxx) report bodies that cannot be parsed; CRS enforces methods (911xxx) and the
// protocol (920xxx) by policy, and tags the former "attack-generic", as nothing else but its evaluation of scores. Attacks by way of the protocol
// (921xxx) and generic code injection (934xxx) have categories of their own.
func (r *Rule) breach() bool {
	switch r.ID / 1000 {
	case 200, 911, 920:
		return true
	}
	return breaches[r.Category]
}

// executing are the categories of attacks after which a target may do what the attacker wants.
var executing = map[string]bool{
	"rce": true, "lfi": true, "rfi": true, "injection-php": true, "injection-java": true, "injection-generic": true, "ssti": true,
	"ssrf": true, "sqli": true, "lateral-movement": true,
}

// attack takes an observation with an attack in its request.
func (c *Correlator) attack(v *view) {
	isEcho, behind := c.echoes.known(c, v)
	if isEcho {
		c.joinEcho(v)
		c.passOn(v)
		return
	}
	if by := c.rewordedFrom(v); by != nil {
		if a := c.book.at(by.Ref); a != nil {
			v.joins(a)
			a.mentionTarget(v.Target, v.targetKey)
		}
		c.passOn(v)
		return
	}
	passed := c.echoes.note(c, v)
	defer c.passOnLate(v, passed, behind) // once it is known what the request itself may have done
	v.weight = c.weigh(v)
	if v.source == nil {
		return
	}
	if v.Internal && (c.forwards.known(v.edge) || c.Learns() && c.edges.known(v.edge)) {
		c.wait(v)
		return
	}
	c.decide(v)
}

// decide takes an attack that is no echo.
func (c *Correlator) decide(v *view) {
	c.settleOn(v)
	c.pivotByAttack(v)
	c.campaign(v)
	c.spread(v)
	c.infect(v)
	if v.hit == nil && v.weight > 0 && c.book.at(v.source.Ref) == nil {
		c.byTool(v)
	}
	if v.hit == nil && v.weight > 0 && c.book.at(v.source.Ref) == nil {
		c.echoes.loosen(v)
	}
}

// weigh returns what an attack counts: nothing where known clients trigger the same rules on the same route all the time.
func (c *Correlator) weigh(v *view) float64 {
	breach := true
	for i := range v.Attack.Rules {
		breach = breach && v.Attack.Rules[i].breach()
	}
	if c.isCustomary(v) && !v.Attack.Likely {
		return 0
	}
	if breach {
		return c.rules.Campaign.ProtocolWeight
	}
	return 1
}

// targeted reports whether an attack met something that exists.
func (v *view) targeted() bool {
	return v.Internal || v.exists || v.Attack.Likely || v.Status >= 500 || v.Status < 300 || v.demands()
}

// aim returns how much an attack on something that exists shows that it was meant: the start page exists everywhere.
func (c *Correlator) aim(v *view) float64 {
	if !v.Internal && c.path.String() == v.Method+" /" {
		return 0.25
	}
	return 1
}

// isCustomary reports whether all rules of an attack are customary on the route, and notes that a known source has triggered them. One of ours
// with an open incident counts for the hours only, over a connection that it uses anyway: a false incident must not keep what would silence it from
// being learned, and one attacker with several services must not make himself customary within habit_hours. So does one whose requests all look
// like attacks, after a day.
func (c *Correlator) isCustomary(v *view) bool {
	known := c.established(v)
	free := known && c.book.at(v.source.Ref) == nil
	regular := free || v.Internal && (known && c.edges.known(v.edge) || passed(v.sec, v.source.First) >= 24*3600)
	hour := v.sec / 3600
	all := len(v.Attack.Rules) > 0
	for _, r := range v.Attack.Rules {
		key := with(v.routeKey, uint64(r.ID))
		h := c.habits.get(key, v.sec)
		if h == nil {
			if all = false; !regular {
				return false
			}
			if h = c.habits.add(key, v.sec, nil); h == nil {
				return false
			}
		}
		if regular {
			if free {
				joins(h.Sources[:], &h.Count, v.sourceKey)
			}
			if h.Hour != hour {
				h.Hour = hour
				h.Hours = min(h.Hours+1, 200)
			}
		}
		all = all && int(h.Hours) >= c.rules.Campaign.HabitHours && (int(h.Count) >= c.rules.Campaign.HabitSources || int(h.Hours) >= 3*c.rules.Campaign.HabitHours)
	}
	return all
}

// categoryList are the categories that CRS and the packs have.
var categoryList = []string{
	"sqli", "xss", "rce", "lfi", "rfi", "injection-php", "injection-java", "injection-generic", "generic", "ssti", "ssrf", "fixation",
	"protocol", "reputation-scanner", "reputation-ip", "multipart-header", "lateral-movement",
}

// categories are the bits of those listed; others share one.
var categories = func() map[string]uint32 {
	all := map[string]uint32{}
	for i, c := range categoryList {
		all[c] = 1 << i
	}
	return all
}()

const otherCategory = 1 << 31

func categoryBit(c string) uint32 {
	if b, known := categories[c]; known {
		return b
	}
	return otherCategory
}

func ones(bits uint32) (n int) {
	for ; bits != 0; bits &= bits - 1 {
		n++
	}
	return n
}

// campaign counts the attacks of a source.
func (c *Correlator) campaign(v *view) {
	t, s := &c.rules.Campaign, v.source
	if passed(v.sec, s.LastAlert) > seconds(c.rules.Gap) {
		s.Alerts, s.Real, s.MixCount, s.RouteCount = 0, 0, 0, 0
	}
	if passed(v.sec, s.Start) > seconds(t.Window) {
		s.Start, s.Hits, s.RuleCount, s.Cats = v.sec, 0, 0, 0
	}
	s.LastAlert = v.sec
	s.Alerts += float32(v.weight)
	if v.targeted() {
		s.Real += float32(v.weight * c.aim(v))
	}
	if v.weight >= 1 {
		s.Hits = min(s.Hits+1, 250)
		mix := c.path.hash
		for _, r := range v.Attack.Rules {
			joins(s.Rules[:], &s.RuleCount, hashNumber(r.ID))
			s.Cats |= categoryBit(r.Category)
			mix = with(mix, uint64(r.ID))
		}
		joins(s.Mixes[:], &s.MixCount, mix)
		joins(s.Routes[:], &s.RouteCount, v.routeKey)
	}
	if v.weight == 0 || c.book.at(s.Ref) != nil && c.book.at(s.Ref).Has(Campaign) {
		return
	}
	inWindow := int(s.Hits) >= t.Records && (int(s.RuleCount) >= t.Rules || ones(s.Cats) >= t.Categories)
	if !inWindow && s.Alerts < float32(t.Alerts) {
		return
	}
	if s.MixCount < 2 && s.Alerts < float32(t.Alerts) { // one request over and over
		return
	}
	if c.regular(v) && s.RouteCount < 3 && s.RuleCount < exact && s.Alerts < 3*float32(t.Alerts) { // texts that someone writes in one place
		return
	}
	if !v.Internal && s.Real < max(3, 0.2*s.Alerts) && s.Alerts < float32(t.Untargeted) {
		return
	}
	c.openCampaign(v)
}

// regular reports whether a source is known, or has credentials with which it was answered.
func (c *Correlator) regular(v *view) bool {
	return c.established(v) || v.principal && v.source.Answered >= 3
}

func hashNumber(n int) uint64 { return spread(uint64(n)*0x9e3779b97f4a7c15 + 1) }

func (c *Correlator) openCampaign(v *view) {
	s, t := v.source, &c.rules.Campaign
	why := fmt.Sprintf("%s from one source that match %s of %s", plural(int(s.Alerts+0.5), "request"), plural(int(s.RuleCount), "rule"),
		pluralCategories(ones(s.Cats)))
	if s.RuleCount == 0 {
		why = fmt.Sprintf("%s from one source that breach the protocol or show a scanner", plural(int(float64(s.Alerts)/c.rules.Campaign.ProtocolWeight+0.5), "request"))
	}
	severity := Medium
	switch {
	case v.Internal && c.regular(v) && s.Alerts < 3*float32(t.Alerts):
	case v.Internal:
		severity = High
	case s.Real < max(3, 0.2*s.Alerts):
		severity = Low
		why += "; none of the routes exist"
	case v.Attack.Refused:
		severity = Low
	}
	refs := []*ref{&s.Ref}
	if tool := c.toolOf(v); tool != nil && v.showsTool() {
		refs = append(refs, &tool.Ref)
	}
	a := c.found(v, Campaign, severity, why, refs...)
	if a == nil {
		return
	}
	if !v.Internal && a.Severity < Medium && a.Attempted >= 3 {
		a.raise(Medium, why)
	}
	c.takeEarlier(a, s.Ref, v.Source, v.now)
}

func pluralCategories(n int) string {
	if n == 1 {
		return "1 category"
	}
	return fmt.Sprintf("%d categories", n)
}

// toolOf returns the row for a client that is not known: its user agent and the like against one target.
func (c *Correlator) toolOf(v *view) *tool {
	if v.Internal || c.established(v) {
		return nil
	}
	key := with(with(hash(v.Agent), v.Shape|1), v.targetKey)
	if row := c.tools.get(key, v.sec); row != nil {
		return row
	}
	return c.tools.add(key, v.sec, func(row *tool) bool { return c.book.at(row.Ref) == nil })
}

// showsTool reports whether a record shows anything of the client's tool.
func (v *view) showsTool() bool { return v.Agent != "" || v.Shape != 0 }

// byTool counts attacks with one tool against one target, whatever addresses they come from.
func (c *Correlator) byTool(v *view) {
	row := c.toolOf(v)
	if row == nil {
		return
	}
	if a := c.book.at(row.Ref); a != nil {
		v.source.Ref = row.Ref
		c.attach(v, a)
		return
	}
	if !v.targeted() || v.weight < 1 {
		return
	}
	if passed(v.sec, row.Last) > seconds(c.rules.Gap) {
		*row = tool{}
	}
	row.Last = v.sec
	if n, added := joins(row.SourceKeys[:], &row.SourceCount, v.sourceKey); added {
		row.Sources[n-1].set(v.Source)
	}
	row.Alerts++
	for _, r := range v.Attack.Rules {
		row.Cats |= categoryBit(r.Category)
	}
	t := &c.rules.Campaign
	recent := row.Recent.pour(1, v.sec, t.SharedWindow/ /* all leak in the window */ 10)
	fast := int(row.SourceCount) >= t.SharedSources && recent >= float32(t.SharedAlerts)*0.6 && row.Alerts >= float32(t.SharedAlerts)
	slow := v.showsTool() && int(row.SourceCount) >= 2*t.SharedSources-1 && row.Alerts >= 2*float32(t.SharedAlerts) && ones(row.Cats) >= 2
	if !fast && !slow {
		return
	}
	why := fmt.Sprintf("%s from %s with the same tool against one target", plural(int(row.Alerts), "attack"), atLeast(int(row.SourceCount), exact, "source"))
	if a := c.found(v, Campaign, Medium, why, &row.Ref, &v.source.Ref); a != nil {
		taken := 0
		for i := range row.SourceCount {
			from := row.Sources[i].String()
			taken += c.takeEarlier(a, row.Ref, from, v.now)
			mention(&a.Incident.Sources, from, mostSources)
			mark(&a.Sources, hash(from))
		}
		rest := max(0, int(row.Alerts)-1-taken) // those that are not remembered one by one
		a.Attacks += rest
		a.Attempted += rest
		a.Records += rest
	}
}

func atLeast(n, most int, one string) string {
	if n >= most {
		return "at least " + plural(n, one)
	}
	return plural(n, one)
}

// spread finds a source that attacks several targets.
func (c *Correlator) spread(v *view) {
	if v.weight < 1 || !v.targeted() {
		return
	}
	t, s := &c.rules.Spread, v.source
	short, oldest, distinct := uint32(v.targetKey>>16)|1, 0, 0
	for i := range s.Attacked {
		if s.Attacked[i].Target == short {
			s.Attacked[i].Target = 0
		}
		if passed(v.sec, s.Attacked[i].At) > passed(v.sec, s.Attacked[oldest].At) || s.Attacked[i].Target == 0 {
			oldest = i
		}
	}
	s.Attacked[oldest].Target, s.Attacked[oldest].At = short, v.sec
	for _, a := range s.Attacked {
		if a.Target != 0 && passed(v.sec, a.At) <= seconds(t.Window) {
			distinct++
		}
	}
	if distinct < min(t.Targets, len(s.Attacked)) {
		return
	}
	if a := c.book.at(s.Ref); a != nil && a.Has(Spread) {
		return
	}
	severity, why := High, fmt.Sprintf("one source attacks %s within %s", atLeast(distinct, len(s.Attacked), "target"), span(t.Window.Milliseconds()))
	switch {
	case !v.Internal:
		severity = Medium
	case int(s.Fanout) >= t.Proxy && c.edges.known(v.edge):
		severity = Medium
		why += "; it talks to many targets, like a proxy"
	}
	a := c.found(v, Spread, severity, why, &s.Ref)
	if a == nil {
		return
	}
	c.takeEarlier(a, s.Ref, v.Source, v.now)
	c.echoes.attacked(v.sourceKey, v.now-t.Window.Milliseconds(), func(target string, at int64) {
		a.mentionTarget(target, hash(target))
		a.First = min(a.First, at)
	})
}
