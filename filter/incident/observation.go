package incident

// Observation is what one HTTP record, clean or not, contributes. Observe keeps no view of its texts.
type Observation struct {
	Time       int64  // of the event, in milliseconds since 1970
	Source     string // the client: a service's name where it is known, else an address
	Internal   bool   // the client is one of ours: a service with a name, or a private address
	Principal  uint64 // salted hash of the credentials that the request carries, 0 when there are none
	User       uint64 // salted hash of the user's name, 0 when it is not known
	Target     string // the service: namespace/workload, or address:port
	TargetHost string // the address under which the target itself acts as a client, "" when it is not known
	Method     string
	Path       string // of the request target; what stands behind a question mark is ignored
	Status     int    // 0 when it is not known
	Bytes      int64  // of the response, 0 when it is not known
	Items      int    // sensitive items in the response
	Agent      string // the user agent
	Shape      uint64 // hash of what tells clients apart besides the user agent, such as the order of headers; 0 when it is not known
	Trace      uint64 // hash of the trace id, 0 when there is none
	Attack     *Attack

	// Route and IDs take precedence over Method and Path: an observation from a digest has the route as incidents show it, and a hash of
	// the ids.
	Route string
	IDs   uint64
}

// Attack is what detection rules found in a request. What they find in responses counts as Items.
type Attack struct {
	Rules   []Rule
	Values  uint64 // hash of the values that matched: a request that is forwarded keeps it
	Refused bool   // a device in front of the application has refused the request
	Likely  bool   // the response shows that it likely succeeded

	// Show returns what a sample shows of the alert, its time and ends apart. It is called during Observe, for a few alerts of each
	// incident; nil shows nothing else.
	Show func() Sample `json:"-"`
}

// Rule is a detection rule that matched.
type Rule struct {
	ID         int
	Category   string   // such as sqli; "" when the rule has none
	Techniques []string // of MITRE ATT&CK
}

// Sample shows one alert of an incident. Its texts have no secrets.
type Sample struct {
	Alert   string `json:"alert,omitempty"` // id of the alert
	Time    int64  `json:"time"`            // in milliseconds since 1970
	Source  string `json:"source"`
	Target  string `json:"target"`
	Method  string `json:"method,omitempty"`
	URI     string `json:"uri,omitempty"`
	Status  int    `json:"status,omitempty"`
	Rule    int    `json:"rule,omitempty"`
	Message string `json:"message,omitempty"`
	Outcome string `json:"outcome,omitempty"`
}

// How many bytes an incident keeps of a text: of one that a sample quotes, of a name, and of a word, such as a category or the id of an alert.
const (
	longestText = 128
	longestName = 96 // TestNamesMayBeLong; those of load balancers in clouds have up to 90
	longestWord = 48
)

// answered reports whether the application has done what was asked.
func (o *Observation) answered() bool { return o.Status >= 200 && o.Status < 300 }

// refused reports whether the request did not reach anything that it could do harm to.
func (o *Observation) refused() bool { return o.Attack.Refused || o.Status >= 400 }

// missed reports whether what was asked for does not exist, or not for this client.
func (o *Observation) missed() bool {
	switch o.Status {
	case 400, 403, 404, 405, 410:
		return true
	}
	return false
}

// denied reports whether the client may not have what it asked for.
func (o *Observation) denied() bool { return o.Status == 401 || o.Status == 403 }

// rejected reports whether credentials were not accepted. With 403 pages are forbidden as well, and requests with an attack in them.
func (o *Observation) rejected() bool {
	return o.Status == 401 || o.Status == 403 && o.submits() && o.Attack == nil
}

// demands reports whether something is there that takes credentials.
func (o *Observation) demands() bool { return o.Status == 401 && o.submits() }

// submits reports whether a request may have credentials in its body.
func (o *Observation) submits() bool { return o.Method != "GET" && o.Method != "HEAD" }

func (o *Observation) redirected() bool { return o.Status >= 300 && o.Status < 400 }
