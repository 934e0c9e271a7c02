// Package lines generates what a web server's access log looks like: lines of
// about 130 bytes whose addresses, paths, agents, times and sizes vary as
// they do behind a shop. The same seed gives the same bytes.
//
// Addresses and paths are drawn from skewed distributions, because visitors
// and pages are; ids, sizes, durations and tokens hardly repeat. A compressor
// must find less here than in one line that is repeated, and about as much as
// in a real log.
package lines

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// Generator makes one line after another. It belongs to one goroutine.
type Generator struct {
	rnd     *rand.Rand
	visitor *rand.Zipf
	page    *rand.Zipf
	agent   *rand.Zipf
	now     time.Time
	addrs   []string
}

// start is the time of the first line.
var start = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)

// New makes a Generator.
func New(seed uint64) *Generator {
	rnd := rand.New(rand.NewPCG(seed, 0x6c6f6766617374))
	g := &Generator{
		rnd:     rnd,
		visitor: rand.NewZipf(rnd, 1.1, 20, visitors-1),
		page:    rand.NewZipf(rnd, 1.3, 4, uint64(len(pages)-1)),
		agent:   rand.NewZipf(rnd, 1.4, 3, uint64(len(agents)-1)),
		now:     start,
	}
	for range visitors {
		var b []byte
		for i := range 4 {
			if i > 0 {
				b = append(b, '.')
			}
			b = strconv.AppendInt(b, 1+rnd.Int64N(254), 10)
		}
		g.addrs = append(g.addrs, string(b))
	}
	return g
}

const visitors = 5000

var pages = []string{
	"/", "/search?q=", "/product/", "/static/app.", "/cart", "/api/v1/items/", "/img/p/", "/api/v1/orders/", "/login",
	"/category/shoes?page=", "/checkout", "/health", "/api/v1/users/", "/account/orders/", "/robots.txt",
	"/blog/2026/11/",
	"/static/vendor.", "/api/v2/prices?ids=", "/favicon.ico", "/help/returns", "/track/", "/feed.xml", "/api/v1/stock/",
	"/logout",
}

var agents = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1)", "Mozilla/5.0 (Macintosh)",
	"okhttp/4.12.0",
	"Mozilla/5.0 (Linux; Android 16)", "Mozilla/5.0 (X11; Linux x86_64)", "python-requests/2.32.3", "Googlebot/2.1",
	"curl/8.15.0", "Mozilla/5.0 (compatible; bingbot/2.0)", "Go-http-client/2.0", "kube-probe/1.34", "-",
}

var searches = []string{
	"red+shoes", "lamp", "usb-c+cable", "winter+jacket+xl", "gift", "desk", "coffee+grinder", "tent",
}

// statuses have the weights of a healthy shop: no server error.
var statuses = []string{
	"200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "200", "200",
	"304", "304", "302", "404", "301", "204",
}

const zone = "02/Jan/2006:15:04:05 +0000"

// Append adds the next line to dst, without a newline. No line reports a
// server error, and none has a response of 500 to 599 bytes, which simple
// filters take for one.
func (g *Generator) Append(dst []byte) []byte {
	size := int64(g.rnd.ExpFloat64() * 9000)
	if size >= 500 && size <= 599 {
		size += 100
	}
	return g.line(dst, statuses[g.rnd.IntN(len(statuses))], size)
}

// AppendError adds a line that reports a server error, without a newline.
func (g *Generator) AppendError(dst []byte) []byte { return g.line(dst, "500", 177) }

func (g *Generator) line(dst []byte, status string, size int64) []byte {
	rnd := g.rnd
	g.now = g.now.Add(time.Duration(rnd.ExpFloat64() * float64(2*time.Millisecond)))
	dst = append(dst, g.addrs[g.visitor.Uint64()]...)
	dst = append(dst, " - - ["...)
	dst = g.now.AppendFormat(dst, zone)
	dst = append(dst, "] \""...)
	if rnd.IntN(12) == 0 {
		dst = append(dst, "POST "...)
	} else {
		dst = append(dst, "GET "...)
	}
	dst = g.path(dst)
	dst = append(dst, " HTTP/1.1\" "...)
	dst = append(dst, status...)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, size, 10)
	dst = append(dst, ' ')
	dst = strconv.AppendFloat(dst, rnd.ExpFloat64()*0.06, 'f', 3, 64)
	dst = append(dst, " \""...)
	dst = append(dst, agents[g.agent.Uint64()]...)
	return append(dst, '"')
}

// path adds a page; one that ends in a separator gets what differs.
func (g *Generator) path(dst []byte) []byte {
	page := pages[g.page.Uint64()]
	dst = append(dst, page...)
	switch page[len(page)-1] {
	case '/':
		if len(page) > 1 {
			dst = strconv.AppendUint(dst, g.rnd.Uint64N(1_000_000), 10)
		}
	case '.':
		dst = strconv.AppendUint(dst, uint64(g.rnd.Uint32()), 16)
		dst = append(dst, ".js"...)
	case '=':
		dst = append(dst, searches[g.rnd.IntN(len(searches))]...)
		dst = append(dst, "&sid="...)
		dst = strconv.AppendUint(dst, uint64(g.rnd.Uint32()), 36)
	}
	return dst
}

// Text returns n lines, each with its newline.
func Text(seed uint64, n int) []byte {
	g := New(seed)
	text := make([]byte, 0, n*140)
	for range n {
		text = append(g.Append(text), '\n')
	}
	return text
}

// Records returns n lines as they lie in a segment in the format cri, 2.3 ms
// apart.
func Records(seed uint64, n int) (text []byte) {
	nano := 0
	for line := range bytes.Lines(Text(seed, n)) {
		nano += 2_345_678
		text = fmt.Appendf(text, "2026-11-24T06:%02d:%02d.%09dZ stdout F %s", nano/60e9, nano/1e9%60, nano%1e9, line)
	}
	return text
}

// Fixed returns n lines of exactly length bytes and a newline: access log
// lines end to end, cut.
func Fixed(seed uint64, n, length int) []byte {
	g := New(seed)
	text := make([]byte, 0, n*(length+1))
	for range n {
		from := len(text)
		for len(text)-from < length {
			text = append(g.Append(text), ' ')
		}
		text = append(text[:from+length], '\n')
	}
	return text
}
