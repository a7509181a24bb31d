package redact

// Kind is what a redacted text was.
type Kind uint8

// The kinds, in the order in which alerts list them.
const (
	Authorization Kind = iota // credentials of an Authorization header, or before the @ of a URL
	Cookie                    // value of a cookie that the client sent
	SetCookie                 // value of a cookie that the server set
	Argument                  // value of a header, argument or field with a name such as password
	Token                     // bearer token, JSON Web Token, API key or private key
	Card                      // number of a payment card
	Own                       // what the operator's own expression finds
	kindCount
)

var kindNames = [kindCount]string{
	Authorization: "authorization", Cookie: "cookie", SetCookie: "set-cookie", Argument: "argument", Token: "token",
	Card: "card", Own: "own",
}

// String returns the kind as alerts name it.
func (k Kind) String() string { return kindNames[k] }
