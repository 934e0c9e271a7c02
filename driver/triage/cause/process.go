package cause

import (
	"bytes"
	"regexp"
	"strings"
)

// process reads what the kernel, a shell or a database says of the end of a process.
//
//	Out of memory: Killed process 1234 (python3) total-vm:…
//	/entrypoint.sh: line 5:    12 Killed                  python app.py
//	Segmentation fault (core dumped)
var process = &family{
	language: "process",
	anchors: []string{
		"ut of memory: Kill", "Memory cgroup out of", "oom-kill:", "Killed", "egmentation fault", "segfault at",
		"Aborted", "Illegal instruction",
		"Bus error", "signal 9", "signal 11", "SIGKILL", "SIGSEGV", "general protection", "# Can't save",
		"# Out Of Memory",
		"terminated by ", "killed by signal", "REDIS BUG REPORT", "Cannot allocate memory", "OOMKilled",
		"exited with code 137", "exit code 137",
		"exited on signal",
	},
	begin:  processBegin,
	follow: processFollow,
	parse:  processParse,
}

const shellSignals = `(Killed|Segmentation fault|Aborted|Illegal instruction|Bus error|Floating point exception)`

var (
	oomKilled = regexp.MustCompile(`(?:Out of memory|Memory cgroup out of memory): Kill(?:ed)? process \d+ \((.+?)\)`)
	oomLine   = regexp.MustCompile(`oom-kill:constraint=`)
	shellDied = regexp.MustCompile(
		`^` + shellSignals + `(?: \(core dumped\))?$|^\S+: (?:line )?\d+: +\d+ +` + shellSignals + `\b.*$`)
	kernelDied = regexp.MustCompile(`(\S+)\[(\d+)\]: (segfault at \S+|general protection fault)`)
	signalled  = regexp.MustCompile(
		`(?i)(?:terminated by(?: signal)?|killed by signal|` +
			`exited on signal|signal:|died .*signal|crashed by signal:?)` +
			` ?(?:SIG)?(\w+)`)
	exitKilled = regexp.MustCompile(`(?:OOMKilled|exited with code 137|exit code 137)`)
	redisLine  = regexp.MustCompile(`^\d+:[MSCX] \d\d \w{3} \d{4} [\d:.]+ # (.*)$`)
)

// signalNames are the names for what a shell prints.
var signalNames = map[string]string{
	"Killed": "SIGKILL", "Segmentation fault": "SIGSEGV", "Aborted": "SIGABRT", "Illegal instruction": "SIGILL",
	"Bus error": "SIGBUS", "Floating point exception": "SIGFPE",
	"9": "SIGKILL", "11": "SIGSEGV", "6": "SIGABRT", "4": "SIGILL", "7": "SIGBUS", "8": "SIGFPE",
}

func processBegin(c *candidate) bool {
	line := c.line
	switch {
	case oomKilled.Match(line), oomLine.Match(line), kernelDied.Match(line):
		return true
	case shellDied.Match(bytes.TrimRight(line, " ")):
		return true
	case redisLine.Match(line):
		c.as = "redis"
		return true
	}
	if c.head.level == low || c.head.level == noLevel && !bytes.Contains(line, []byte(" signal ")) {
		return false
	}
	m := signalled.FindSubmatch(line)
	if m == nil {
		return exitKilled.Match(line)
	}
	return signalName(string(m[1])) != ""
}

// processFollow joins the two lines that the kernel writes of one death.
func processFollow(b *block, line []byte) verdict {
	if oomLine.Match(line) != oomLine.Match(b.firstLine()) && (oomLine.Match(line) || oomKilled.Match(line)) &&
		b.n == 1 {
		return last
	}
	return over
}

func processParse(t *trace) (found, bool) {
	line := t.prefix + t.lines[0]
	for _, l := range t.lines {
		if oomKilled.MatchString(l) {
			at := oomKilled.FindStringIndex(l)
			return found{typ: "OOMKilled", message: l[at[0]:]}, true
		}
	}
	if i := strings.Index(line, "oom-kill:"); i >= 0 {
		return found{typ: "OOMKilled", message: line[i:]}, true
	}
	if m := kernelDied.FindStringIndex(line); m != nil {
		return found{typ: "SIGSEGV", message: line[m[0]:]}, true
	}
	if m := redisLine.FindStringSubmatch(line); m != nil {
		typ, _, _ := strings.Cut(m[1], ":")
		return found{typ: typ, message: m[1]}, redisFails(m[1])
	}
	if m := shellDied.FindStringSubmatch(strings.TrimRight(line, " ")); m != nil {
		return found{typ: signalNames[m[1]+m[2]], message: strings.TrimSpace(line)}, true
	}
	h := readHead([]byte(line))
	f := found{typ: "SIGKILL", message: line[h.message:]}
	if strings.Contains(line, "OOMKilled") {
		f.typ = "OOMKilled"
	}
	if m := signalled.FindStringSubmatch(line); m != nil {
		f.typ = signalName(m[1])
	}
	return f, true
}

// redisFails reports whether a line of Redis's level warning says that something failed.
// Redis greets with the same level.
func redisFails(message string) bool {
	return hasAny(message, "Can't ", "Cannot ", "rror", "Fatal", "Failed", "failed", "BUG REPORT", "Out Of Memory",
		"crashed")
}

func signalName(s string) string {
	s = strings.ToUpper(s)
	if name := signalNames[s]; name != "" {
		return name
	}
	for _, name := range []string{"SIGKILL", "SIGSEGV", "SIGABRT", "SIGILL", "SIGBUS", "SIGFPE"} {
		if strings.TrimPrefix(s, "SIG") == name[3:] {
			return name
		}
	}
	return ""
}
