package redact

// Part is a part of a transaction in which a place is.
type Part string

// The parts. What is in a query or a body may also be escaped in another one.
const (
	Query     Part = "query"
	Head      Part = "request head"
	Body      Part = "request body"
	ReplyHead Part = "response head"
	ReplyBody Part = "response body"
	Key       Part = "record"
)

// Place is where a secret stands, and how it is known there. The page about redaction lists the places, and tests look for
// secrets in all of them.
type Place struct {
	What    string
	In      Part
	Example string // with S, in a word of its own, in the place of the secret
}

// Places are the places that a Redactor knows.
var Places = []Place{
	{"credentials of any scheme", Head, "Authorization: Bearer S"},
	{"credentials of any scheme", Head, "Proxy-Authorization: Digest username=\"u\", nonce=\"n\", response=\"S\""},
	{"credentials of any scheme", Head, "Authorization: AWS4-HMAC-SHA256 Credential=AKx/s3, SignedHeaders=host, Signature=S"},
	{"credentials of any scheme", Head, "Authorization: SharedAccessSignature sr=x&sig=S"},
	{"credentials of any scheme", Head, "Authorization: S"},
	{"credentials of any scheme", Head, "Authorization: Custom S"},
	{"credentials of any scheme", Query, "q=Bearer+S"},
	{"credentials of any scheme", Query, "Authorization=Bearer+S"},
	{"cookies", Head, "Cookie: theme=dark1234; sid=S"},
	{"cookies", Head, "Cookie: a=\"x;S\"; b=1"},
	{"cookies", ReplyHead, "Set-Cookie: sid=S; Path=/; HttpOnly"},
	{"cookies", Query, "Cookie=S"},
	{"a header named like a secret", Head, "X-Api-Key: S"},
	{"a header named like a secret", Head, "Ocp-Apim-Subscription-Key: S"},
	{"a header named like a secret", Head, "X-Hub-Signature-256: sha256=S"},
	{"a header named like a secret", ReplyHead, "X-CSRF-Token:\r\n S"},
	{"a token among subprotocols", Head, "Sec-WebSocket-Protocol: base64.binary.k8s.io, S"},
	{"URL credentials", Head, "Referer: https://bob:S@h.example/"},
	{"a token as the user of a URL", Head, "Referer: https://S@h.example/x"},
	{"a token as the user of a URL", Query, "u=https://S:x-oauth-basic@h.example/x"},
	{"the fragment of a URL", ReplyHead, "Location: https://h.example/cb#access_token=S"},
	{"the path after a name", Query, "u=/reset/token/S"},
	{"the path after a name", Query, "u=https://h.example/invite/S/accept"},
	{"an argument", Query, "password=S"},
	{"an argument", Query, "user[0][p%61ssword][]=S"},
	{"an argument", Query, "pass+word=S"},
	{"an argument", Query, "user(password)=S"},
	{"an argument", Query, "%EF%BD%90assword=S"},
	{"an argument", Query, "a=1;password=S;b=2"},
	{"a signed URL", Query, "u=/o?X-Amz-Credential=AKx&X-Amz-Signature=S"},
	{"a signed URL", Query, "AWSAccessKeyId=AKx&Signature=S"},
	{"a signed URL", Query, "X-Goog-Signature=S"},
	{"a signed URL", Query, "sv=2024-08-04&sr=b&sig=S"},
	{"a signed URL", Query, "Expires=1&Key-Pair-Id=AK&Policy=S&Signature=x1y2z3a4b5"},
	{"OAuth and OpenID Connect", Query, "code=S&scope=openid"},
	{"OAuth and OpenID Connect", Query, "state=S"},
	{"OAuth and OpenID Connect", Body, "grant_type=x&client_assertion=S"},
	{"OAuth and OpenID Connect", Body, "code_verifier=S"},
	{"OAuth and OpenID Connect", Body, "refresh_token=S"},
	{"SAML", Body, "SAMLResponse=S"},
	{"SAML", Query, "SAMLRequest=S&RelayState=x"},
	{"a key that looks random", Query, "key=S"},
	{"a one-time ticket", Query, "ticket=ST-1-S-cas"},
	{"a name and a value", Query, "name=password&value=S"},
	{"a name and a value", Body, `{"name":"password","value":"S"}`},
	{"a name and a value", Body, `{"value":"S","type":"password"}`},
	{"a name and a value", Body, `[["Authorization","Bearer S"]]`},
	{"a name and a value", Body, "- name: DB_PASSWORD\n  value: S\n"},
	{"a name and a value", Body, "<member><name>password</name><value><string>S</string></value></member>"},
	{"a name and a value", Body, "<dict><key>apiToken</key><string>S</string></dict>"},
	{"JSON", Body, `{"user":{"password":"S"}}`},
	{"JSON", Body, "{\"password\"\n:\n\"S\"}"},
	{"JSON", Body, `{"credentials":{"a":["S"]}}`},
	{"JSON", Body, `{"p\u0061ssword":"S"}`},
	{"JSON", Body, `{"v":"{\"password\": \"S\"}"}`},
	{"JSON", Body, `{"password":"S`},
	{"GraphQL", Body, `{"query":"mutation{login(user:\"u\",password:\"S\"){id}}"}`},
	{"GraphQL", Body, "{\"query\":\"mutation($p:String!){login(password:$p)}\",\n\"variables\":{\"p\":\"S\"}}"},
	{"XML", Body, "<a><w:Password Type=\"t\">S</w:Password></a>"},
	{"XML", Body, "<password><![CDATA[S]]></password>"},
	{"XML", Body, `<a password = "S"/>`},
	{"XML", Body, `<property name="password">S</property>`},
	{"form fields", ReplyBody, `<input value="S" type="password" name="field1">`},
	{"form fields", ReplyBody, `<input type=hidden name=csrf_token value=S>`},
	{"meta elements", ReplyBody, `<meta content="S" name="csrf-token">`},
	{"meta elements", ReplyBody, `<meta name=csrf-token content=S>`},
	{"multipart", Body, "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nS\r\n--b--\r\n"},
	{"multipart", Body, "--b\r\nContent-Disposition: form-data; filename=\"f\"; name*=UTF-8''p%61ssword\r\nX: y\r\n\r\nS\r\n--b--\r\n"},
	{"multipart", Body, "--b\r\nContent-Disposition: form-data; name*0=\"pass\"; name*1=\"word\"\r\n\r\nS\r\n--b--\r\n"},
	{"configuration files and YAML", Body, "[db]\npassword = S\n"},
	{"configuration files and YAML", Body, "db:\n  password: >\n    first line\n    S\n"},
	{"configuration files and YAML", Body, "export DB_PASSWORD=S\n"},
	{"logged parameters", Body, `{"password"=>"S", "id"=>"1"}`},
	{"logged parameters", Body, `{\x22password\x22:\x22S\x22}`},
	{"command options", Query, "c=curl+--token+S+x"},
	{"command options", Query, "c=curl+-u+bob:S+x"},
	{"scripts", ReplyBody, `headers.append("X-Api-Key", "S")`},
	{"scripts", ReplyBody, `var csrfToken = "S";`},
	{"SQL", Query, "q=1'+or+password='S'--"},
	{"chunks of a body", ReplyBody, "14\r\n{\"access_token\":\"abc\r\n1d\r\nS\"}\r\n0\r\n\r\n"},
	{"a JSON Web Token", Query, "x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.S"},
	{"a service token", Body, "see glpat-S there"},
	{"a private key", Body, "-----BEGIN RSA PRIVATE KEY-----\nS\n-----END RSA PRIVATE KEY-----"},
	{"a record key", Key, "http_cookie=sid=S"},
	{"a record key", Key, "request_Authorization=Bearer S"},
	{"a record key", Key, "password=S"},
}

// Escapes are the ways to write a text within another one that a Redactor undoes, also one within another.
func Escapes() []string {
	all := make([]string, len(decoders))
	for i := range decoders {
		all[i] = decoders[i].name
	}
	return all
}

// Depth is how many of them may be within one another.
const Depth = mostLevels
