package cause

import (
	"bytes"
	"regexp"
	"strings"
)

// dotnet reads .NET's traces, also those that its console logger indents.
//
//	Unhandled exception. System.InvalidOperationException: outer
//	 ---> System.NullReferenceException: inner
//	   at Shop.Cart.Total() in /src/Cart.cs:line 5
//	   --- End of inner exception stack trace ---
var dotnet = &family{
	language: "dotnet",
	anchors:  []string{"Exception", "nhandled exception", "fail: ", "crit: "},
	begin:    dotnetBegin,
	follow:   dotnetFollow,
	parse:    dotnetParse,
}

// dotnetConsole is the kind of an entry of the console logger, two lines or more.
const dotnetConsole = 1

var (
	dotnetCategory = regexp.MustCompile(`^(?:fail|crit): [\w.]+\[\d+\]$`)
	dotnetHeads    = []string{"Unhandled exception. ", "Unhandled Exception: ", "Unhandled exception: "}
)

func dotnetBegin(c *candidate) bool {
	for _, h := range dotnetHeads {
		if c.within(h) && dotnetIsHead(string(c.rest()[len(h):])) {
			return true
		}
	}
	c.col = 0
	if c.at(func(rest []byte) bool { return dotnetCategory.Match(bytes.TrimSpace(rest)) }) {
		c.kind = dotnetConsole
		return true
	}
	if atBegin(c, atDotnet, dotnetIsHead) {
		return true
	}
	return c.at(func(rest []byte) bool { return dotnetIsHead(string(rest[:min(len(rest), 2*MaxType)])) })
}

// dotnetIsHead reports whether a text begins with the qualified name of an exception.
func dotnetIsHead(s string) bool {
	s = dotnetCut(s)
	typ, _, ok := splitHead(s, ".`+")
	return ok && isUpper(typ[0]) && strings.Contains(typ, ".") && strings.HasSuffix(typ, "Exception")
}

// dotnetCut takes away what stands between a type and its message:
// "System.Net.Sockets.SocketException (111): Connection refused".
func dotnetCut(s string) string {
	if i := strings.Index(s, " (0x"); i > 0 && i < MaxType {
		if j := strings.Index(s[i:], "): "); j > 0 {
			return s[:i] + s[i+j+1:]
		}
	}
	return dotnetCode.ReplaceAllString(s, "$1:")
}

var dotnetCode = regexp.MustCompile(`^([\w.]+Exception) \(-?\d+(?:, 0x\w+)?\):`)

func dotnetFollow(b *block, line []byte) verdict {
	text := bytes.TrimLeft(line, " \t")
	if b.kind == dotnetConsole {
		if len(line)-len(text) >= 6 {
			return belongs
		}
		return over
	}
	switch {
	case len(text) < len(line) && bytes.HasPrefix(text, atWord), bytes.HasPrefix(text, []byte("--->")),
		bytes.HasPrefix(text, []byte("--- End of")):
		b.frames++
		return belongs
	case b.frames == 0 && !isLog(line), b.frames > 0 && bytes.HasPrefix(text, []byte("---")):
		return maybe
	}
	return foreign
}

func dotnetParse(t *trace) (found, bool) {
	lines := t.lines
	first := 0
	f := found{}
	if t.kind == dotnetConsole {
		for first = 1; first < len(lines) && !dotnetIsHead(strings.TrimSpace(lines[first])); first++ {
			continue
		}
		if first == len(lines) {
			if len(lines) > 1 {
				f.message = join(lines[1:])
			}
			return f, f.message != ""
		}
	}
	var chain []thrown
	var stack []int // the exceptions whose frames have not come yet
	frames := false
	for i, line := range lines[first:] {
		text := strings.TrimSpace(line)
		switch m := dotnetFrame.FindStringSubmatch(line); {
		case m != nil && len(stack) > 0:
			frames = true
			cur := &chain[stack[len(stack)-1]]
			if cur.framed = true; cur.frame == "" {
				cur.frame = dotnetFrameOf(m[1])
			}
		case strings.HasPrefix(text, "--- End of inner"):
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
		case i == 0 || strings.HasPrefix(text, "---> "):
			for _, h := range dotnetHeads {
				text = strings.TrimPrefix(text, h)
			}
			for _, part := range strings.Split(strings.TrimPrefix(text, "---> "), " ---> ") {
				chain = append(chain, dotnetHead(part))
				stack = append(stack, len(chain)-1)
			}
		case len(stack) > 0 && !chain[stack[len(stack)-1]].framed && !strings.HasPrefix(text, "---"):
			chain[stack[len(stack)-1]].addLine(text)
		}
	}
	if len(chain) == 0 || !frames && t.doubtful() && !beginsAny(lines[0], dotnetHeads...) {
		return f, false
	}
	return rootOf(chain, dotnetRoot(chain), -1), true
}

// dotnetRoot is the innermost exception of the first chain: others of an
// AggregateException follow.
func dotnetRoot(chain []thrown) int {
	for i := 1; i < len(chain); i++ {
		if chain[i-1].framed && !chain[i].framed {
			return i - 1
		}
	}
	return len(chain) - 1
}

func dotnetHead(s string) thrown {
	if rest, ok := strings.CutPrefix(s, "(Inner Exception #"); ok {
		_, s, _ = strings.Cut(rest, ") ")
	}
	h := readHead([]byte(s))
	for _, i := range h.starts[:h.n] {
		if dotnetIsHead(s[i:]) {
			typ, message, _ := splitHead(dotnetCut(s[i:]), ".`+")
			return thrown{typ: typ, message: message}
		}
	}
	if typ, message, ok := splitHead(s, ".`+"); ok {
		return thrown{typ: typ, message: message}
	}
	return thrown{message: s}
}

var (
	dotnetAsync = regexp.MustCompile(
		`(?:<>c(?:__DisplayClass\w+)?(?:` + "`" + `\d+)?\.)?<(\w+)>(?:[a-z](?:__\w*)?|\$)(?:\|[\w_]+)?(?:\.MoveNext)?`)
	dotnetNested = regexp.MustCompile(`<<(\w+)>[^>]*>`) // an asynchronous lambda
	dotnetVendor = []string{
		"System.", "Microsoft.", "Newtonsoft.", "Npgsql.", "MySql.", "MySqlConnector.", "Dapper.", "Serilog.",
		"Grpc.", "Polly.",
		"MediatR.", "AutoMapper.", "StackExchange.", "RabbitMQ.", "Castle.", "Swashbuckle.", "FluentValidation.",
		"Hangfire.",
		"Quartz.", "lambda_method", "Interop", "Internal.", "MongoDB.", "Amazon.", "Azure.", "Google.",
		"MassTransit.", "NLog.",
		"Elastic.", "Autofac.", "Refit.", "RestSharp.", "Confluent.", "Oracle.", "Pomelo.", "Xunit.",
	}
)

// dotnetFrameOf describes a frame, "" if it is not the application's.
func dotnetFrameOf(name string) string {
	if beginsAny(name, dotnetVendor...) {
		return ""
	}
	if i := strings.IndexByte(name, '['); i > 0 {
		name = name[:i]
	}
	return dotnetAsync.ReplaceAllString(dotnetNested.ReplaceAllString(name, "<$1>"), "$1")
}
