package detect

import (
	"strings"
	"testing"
)

// TestSignals_OneCountAFailure counts the lines of whole failures with all
// signals asked for: each failure is one, with the rule of its language.
func TestSignals_OneCountAFailure(t *testing.T) {
	every, err := ParseSignals(strings.Join(signalNames, ","))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ rule, text string }{
		{"python-traceback", "Traceback (most recent call last):\n  File \"a.py\", line 503, in f\n    g()\nredis.exceptions.ConnectionError: Error 111"},
		{"python-traceback", "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nsqlalchemy.exc.OperationalError: x"},
		{"java-exception", "java.lang.IllegalStateException: x\n\tat com.a.B.c(B.java:500)\nCaused by: java.io.IOException: y\n\t... 3 more"},
		{"java-exception", "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(B.java:5)"},
		{"go-panic", "panic: x [recovered]\n\tpanic: x\n[signal SIGSEGV: segmentation violation code=0x1]\n\ngoroutine 1 [running]:\nmain.main()"},
		{"go-panic", "2026/03/01 10:02:11 http: panic serving 10.0.0.1:5: boom\ngoroutine 12 [running]:"},
		{"node-exception", "/app/a.js:10\n    throw new TypeError('x')\n    ^\n\nTypeError: x\n    at f (/app/a.js:10:5)\n\nNode.js v20.11.0"},
		{"node-exception", "(node:1) UnhandledPromiseRejectionWarning: Error: x\n    at f\n" +
			"(node:1) UnhandledPromiseRejectionWarning: Unhandled promise rejection. This error originated"},
		{"php-fatal", "PHP Fatal error:  Uncaught Error: x in /a.php:5\nFatal error: Uncaught Error: x in /a.php:5\nStack trace:\n#0 {main}"},
		{"ruby-exception", "/app/a.rb:3:in `run': boom (RuntimeError)\n\tfrom /app/a.rb:9:in `<main>'"},
		{"ruby-exception", "a.rb:3:in 'Integer#/': divided by 0 (ZeroDivisionError)\n\tfrom a.rb:3:in '<main>'"},
		{"rust-panic", "thread 'main' panicked at src/main.rs:5:9:\nboom\nnote: run with `RUST_BACKTRACE=1`"},
		{"dotnet-exception", "Unhandled exception. System.InvalidOperationException: x\n   at A.B() in /a.cs:line 5"},
		{"elixir-exception", "[error] GenServer A terminating\n** (RuntimeError) boom\n    (a 0.1.0) lib/a.ex:5: A.b/1"},
		{"runtime", "[ 500.1] Memory cgroup out of memory: Killed process 12 (node) total-vm:500kB"},
		{"runtime", "app[503]: segfault at 0 ip 00 sp 00 error 4 in app"},
		{"runtime", "Segmentation fault (core dumped)"},
		{"runtime", "[2026-03-01 10:02:11 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:503)"},
		{"runtime", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n 1: 0xb7a940 node::Abort()"},
		{"", "Node.js v20.11.0 is used\npanicked\nPHP Warning:  x\n** (EXIT from #PID<0.1.0>) x\nTypeError: x\nSystem.ArgumentException: caught"},
	} {
		count := 0
		for _, line := range strings.Split(tt.text, "\n") {
			m, found := every.detect([]byte(line))
			if !found {
				continue
			}
			if count++; m.Rule != tt.rule {
				t.Errorf("by %q, want %q: %s", m.Rule, tt.rule, line)
			}
		}
		if want := min(len(tt.rule), 1); count != want {
			t.Errorf("counted %d times, want %d: %s", count, want, tt.text)
		}
	}
	if m, found := Signals(0).detect([]byte("panic: x")); found {
		t.Errorf("no signal was asked for: %+v", m)
	}
}
