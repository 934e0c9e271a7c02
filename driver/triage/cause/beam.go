package cause

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// beam reads exceptions of Elixir and the crash reports of Erlang.
//
//	** (RuntimeError) boom
//	    (shop 0.1.0) lib/shop/cart.ex:5: Shop.Cart.total/1
//	    (phoenix 1.7.2) lib/phoenix/router.ex:354: Phoenix.Router.__call__/5
var beam = &family{
	language: "elixir",
	anchors: append(exAnchors(), "Reason for termination", "=CRASH REPORT", "terminating", "terminated",
		"exit with reason"),
	begin:  beamBegin,
	follow: beamFollow,
	parse:  beamParse,
}

// exAnchors are "** (" with each letter that a type may begin with.
func exAnchors() (all []string) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZest" {
		all = append(all, "** ("+string(c))
	}
	return all
}

// beamErlang is the kind of Erlang's own reports.
const beamErlang = 1

var (
	exHead  = regexp.MustCompile(`\*\* \(([\w.]+)\) ?(.*)$`)
	exFrame = regexp.MustCompile(
		`^\s*(?:\((\w+)(?: [\w.+-]+)?\) )?([\w./-]+\.(?:ex|exs|erl|eex|heex|leex)):\d+: (.+)$`)
	erlReason = regexp.MustCompile(
		`(?:exit with reason|Reason for termination ?={0,2}|exception (?:error|exit|throw):)` +
			` *(?:\*\*)? ?(.*)$`)
	erlFrame = regexp.MustCompile(`\[?\{(\w+),(\w+),(?:\d+|\[.*?\]),\[\{file,"([^"]+)"\}`)
	erlCall  = regexp.MustCompile(`in (?:function|call from) +(\w+):(\w+)/(\d+)`)
)

func beamBegin(c *candidate) bool {
	if c.head.level == low {
		return false
	}
	if c.within("** (") && exHead.Match(c.rest()) {
		if before := c.lane.before(1); bytes.Contains(before, []byte("terminat")) || bytes.Contains(before,
			[]byte("[error]")) {
			c.back = 1
		}
		return true
	}
	c.kind, c.as, c.col = beamErlang, "erlang", 0
	if bytes.HasPrefix(c.line, []byte("** Generic server ")) || bytes.HasPrefix(c.line, []byte("** State machine ")) {
		return true
	}
	if c.within("=CRASH REPORT") || c.within("exit with reason") && bytes.Contains(c.line, []byte("rocess ")) {
		c.col = min(c.col, c.head.message)
		return true
	}
	if c.within("terminating") || c.within("terminated") {
		c.col = c.head.message
		return c.head.level == failure && hasAny(string(c.line), "#PID<", "<0.", "GenServer ", "gen_server ",
			"Task ", "State machine")
	}
	return false
}

func beamFollow(b *block, line []byte) verdict {
	text := bytes.TrimLeft(line, " \t")
	indented := len(text) < len(line)
	switch {
	case len(text) == 0:
		return maybe
	case bytes.HasPrefix(text, []byte("** ")), indented:
		b.frames++
		return belongs
	case bytes.HasPrefix(line, []byte("Server: ")), bytes.HasPrefix(line, []byte("Request: ")),
		bytes.HasPrefix(line, []byte("Last message")),
		bytes.HasPrefix(line, []byte("State: ")), bytes.HasPrefix(line, []byte("Function: ")), bytes.HasPrefix(line,
			[]byte("Args: ")):
		return belongs
	case b.frames == 0 && !isLog(line):
		return maybe
	}
	return foreign
}

func beamParse(t *trace) (found, bool) {
	var chain []thrown
	for i, line := range t.lines {
		if m := exHead.FindStringSubmatch(line); m != nil && !strings.HasPrefix(strings.TrimSpace(line), "(") {
			chain = append(chain, thrown{typ: m[1], message: strings.TrimSpace(m[2])})
			continue
		}
		if len(chain) == 0 {
			continue
		}
		cur := &chain[len(chain)-1]
		if m := exFrame.FindStringSubmatch(line); m != nil {
			if cur.framed = true; cur.frame == "" && exApp(m[1], m[2], m[3]) {
				cur.frame = exCall(m[3])
			}
			continue
		}
		if text := strings.TrimSpace(line); strings.HasPrefix(text, ":") && strings.HasSuffix(text, ")") {
			cur.framed = true // a function of Erlang's
			continue
		}
		if !cur.framed && i > 0 && !strings.HasPrefix(strings.TrimSpace(line), "(") {
			cur.addLine(strings.TrimSpace(line))
		}
	}
	if len(chain) == 0 {
		return erlangParse(t)
	}
	root := len(chain) - 1
	// "** (exit) an exception was raised:" says less than what follows.
	f := rootOf(chain, root, -1)
	f.language = "elixir"
	return f, true
}

// exLibraries are applications in a trace that are not the user's.
var exLibraries = strings.Fields(`elixir stdlib kernel phoenix phoenix_live_view
	phoenix_html phoenix_ecto plug plug_cowboy cowboy
	ranch bandit thousand_island ecto ecto_sql postgrex db_connection myxql logger mix ex_unit iex
	telemetry jason oban absinthe absinthe_plug gen_stage broadway tesla finch mint hackney httpoison
	swoosh bamboo nimble_pool proc_lib phoenix_pubsub compiler exqlite redix req websock_adapter gettext`)

// exApp reports whether a frame is the application's.
func exApp(app, path, call string) bool {
	if app != "" {
		return !slices.Contains(exLibraries, app)
	}
	return call != "(file)" && !beginsAny(path, "deps/", "gen_server.erl", "proc_lib.erl", "lists.erl",
		"erl_eval.erl", "gen.erl") &&
		!strings.HasSuffix(path, ".erl") && !strings.HasPrefix(call, ":")
}

// exCall takes away what a compiler adds to a function's name.
func exCall(call string) string {
	call = strings.TrimSpace(call)
	if rest, ok := strings.CutPrefix(call, "anonymous fn/"); ok {
		if _, name, in := strings.Cut(rest, " in "); in {
			call = name
		}
	}
	if i := strings.IndexByte(call, '('); i > 0 { // arguments of a function clause error
		call = call[:i]
	}
	return call
}

// erlangParse reads a report of Erlang, or one of Elixir that has no exception in it.
func erlangParse(t *trace) (found, bool) {
	f := found{language: "erlang"}
	for i, line := range t.lines {
		m := erlReason.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		reason := strings.Trim(m[1], "=* ")
		if reason == "" && i+1 < len(t.lines) {
			reason = strings.Trim(t.lines[i+1], "=* ")
		}
		f.message = reason
		if name := strings.TrimLeft(reason, "{[\""); name != "" {
			end := 0
			for end < len(name) && (isWord(name[end])) {
				end++
			}
			f.typ = name[:end]
		}
		break
	}
	text := strings.Join(t.lines, "\n")
	for _, m := range erlFrame.FindAllStringSubmatch(text, 40) {
		if f.frame == "" && !slices.Contains(erlLibraries, m[1]) {
			f.frame = m[1] + ":" + m[2]
		}
	}
	for _, m := range erlCall.FindAllStringSubmatch(text, 40) {
		if f.frame == "" && !slices.Contains(erlLibraries, m[1]) {
			f.frame = m[1] + ":" + m[2]
		}
	}
	if f.message == "" {
		if !strings.Contains(t.lines[0], "terminat") {
			return f, false
		}
		f.message = strings.TrimSpace(t.lines[0])
		if strings.Contains(t.lines[0], "#PID<") || strings.Contains(t.lines[0], "GenServer ") {
			f.language = "elixir"
		}
	}
	return f, true
}

var erlLibraries = strings.Fields(`gen_server gen_statem gen proc_lib
	gen_event supervisor lists maps erlang io io_lib cowboy_handler
	cowboy_stream_h cowboy_http ranch application_master erl_eval shell gen_fsm ets dict`)
