package detect

import "bytes"

// maxColumns bounds how many words of a line are looked at as columns.
const maxColumns = 48

// columnRules are formats that have no request, or bear its status in a fixed column.
// Each of them knows its lines by the first column.
var columnRules = []rule[func(line []byte) (Match, bool)]{
	{
		name:    "AWS load balancers",
		doc:     "The status of a load balancer stands behind three times, the target's status behind it.",
		example: `2026-07-19T15:17:00Z lb 10.1.2.3:5021 10.0.0.1:80 0.5 0.5 0.0 504 - 12 502 "GET http://a/x HTTP/1.1"`,
		finds:   finds(504, "elb"),
		read:    alb,
	},
	{
		name:    "CloudFront",
		doc:     "The status stands in the ninth column of the standard log.",
		example: "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td1.example\t/x.html\t502\t-\tMozilla/5.0",
		finds:   finds(502, "w3c"),
		read:    cloudfront,
	},
	{
		name:    "IIS",
		doc:     "The status begins the run of numbers at the end of a line in W3C's extended format.",
		example: `2026-07-19 15:20:33 10.0.0.15 GET /default.aspx - 443 - 203.0.113.61 Mozilla - 500 0 0 312`,
		finds:   finds(500, "w3c"),
		read:    w3c,
	},
}

// columns decides a line by columnRules.
func columns(line []byte) (Match, bool) {
	if len(line) < 24 {
		return Match{}, false
	}
	for i := range columnRules {
		if m, ok := columnRules[i].read(line); ok {
			return m, true
		}
	}
	return Match{}, false
}

// behindDate returns the byte behind a date at a line's beginning: the "T" of "2026-03-01T".
func behindDate(line []byte) (c byte, ok bool) {
	return line[10], (line[0] == '1' || line[0] == '2') && line[4] == '-' && line[7] == '-'
}

// fields splits the beginning of a line at blanks.
func fields(line []byte, into *[maxColumns][]byte, sep func(byte) bool) int {
	n := 0
	for i := 0; i < len(line) && n < len(into); {
		for i < len(line) && sep(line[i]) {
			i++
		}
		from := i
		for i < len(line) && !sep(line[i]) {
			i++
		}
		if i > from {
			into[n] = line[from:i]
			n++
		}
	}
	return n
}

// alb reads an application load balancer's line, and a classic one's, which
// lacks the first column:
//
//	type time elb client:port target:port t1 t2 t3 elb_status target_status …
//
// (Source: AWS, "Access logs for your Application Load Balancer".)
func alb(line []byte) (Match, bool) {
	switch line[0] {
	case 'h', 'w', 'g': // http, https, h2, ws, wss, grpcs
	default:
		if c, ok := behindDate(line); !ok || c != 'T' {
			return Match{}, false
		}
	}
	head := line
	if i := bytes.IndexByte(line, '"'); i >= 0 {
		head = line[:i]
	}
	var f [maxColumns][]byte
	n := fields(head, &f, space)
	col := f[:n]
	if line[0] > '9' {
		if n < 9 || !digit(col[1][0]) {
			return Match{}, false
		}
		col = col[1:]
	}
	if len(col) < 9 || bytes.IndexByte(col[0], 'T') != 10 || !seconds(col[4]) || !seconds(col[5]) || !seconds(col[6]) {
		return Match{}, false
	}
	status, ok := number(col[7])
	if !ok && string(col[7]) != "-" {
		return Match{}, false
	}
	m := Match{Status: status, Rule: "elb"}
	if len(head) < len(line) {
		if r, ok := quotedRequest(line, len(head)); ok {
			m.Method, m.Path = r.method, pathOf(r.target)
		}
	}
	return m, true
}

// seconds reports whether a column is a load balancer's time: 0.001 or -1.
func seconds(b []byte) bool {
	return string(b) == "-1" || bytes.IndexByte(b, '.') > 0 && all(b, func(c byte) bool { return digit(c) || c == '.' })
}

// cloudfront reads a line of CloudFront's standard log:
//
//	date time edge bytes ip method host uri status …
func cloudfront(line []byte) (Match, bool) {
	if c, ok := behindDate(line); !ok || c != '\t' {
		return Match{}, false
	}
	var f [maxColumns][]byte
	n := fields(line, &f, func(c byte) bool { return c == '\t' })
	if n < 9 || !isMethod(f[5]) || f[7][0] != '/' {
		return Match{}, false
	}
	status, _ := number(f[8])
	return Match{Status: status, Method: f[5], Path: pathOf(f[7]), Rule: "w3c"}, true
}

// w3c reads a line of IIS in its default order, with more or fewer columns:
//
//	date time [site] s-ip method stem query port user c-ip [version] agent …
//	    status substatus win32 [bytes bytes] [time]
//
// The columns after the client's address hold its words, so the status is
// found from the end: it begins the run of numbers there. An agent or a
// referer may be a number too, so the default order has the last say.
func w3c(line []byte) (Match, bool) {
	if c, ok := behindDate(line); !ok || c == 'T' || c == '\t' {
		return Match{}, false
	}
	var f [maxColumns][]byte
	n := fields(line, &f, space)
	m := 2
	for m < n && m < 6 && !isMethod(f[m]) {
		m++
	}
	if m+8 >= n || m >= 6 || f[m+1][0] != '/' || !all(f[m+3], digit) || !bytes.ContainsAny(f[m+5], ".:") ||
		all(f[m+5], letter) {
		return Match{}, false
	}
	run := n
	for run > m+6 && all(f[run-1], digit) {
		run--
	}
	at := func(i int) (int, bool) {
		if i < run || i+2 >= n {
			return 0, false
		}
		s, ok := number(f[i])
		return s, ok && len(f[i+1]) <= 2
	}
	status, ok := at(n - 4)
	if !ok {
		status, ok = at(max(run, n-6))
	}
	if !ok {
		status, ok = at(n - 3)
	}
	return Match{Status: status, Method: f[m], Path: pathOf(f[m+1]), Rule: "w3c"}, ok
}
