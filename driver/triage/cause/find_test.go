package cause

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestFind_TypeIsTheKey has types that name what their message is.
func TestFind_TypeIsTheKey(t *testing.T) {
	for _, text := range []string{
		"Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\nPassword: hunter2\n",
		"Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\napp.Password: hunter2\n",
		`{"level":50,"error":{"name":"password","message":"hunter2"},"msg":"failed"}`,
		`{"level":50,"error":{"name":"password","message":"hunter2\nsecond"},"msg":"failed"}`,
		`{"level":50,"error":{"name":"password","message":"\"hunter2\\"},"msg":"failed"}`,
		`{"level":50,"error":{"name":"password","message":"hunter2\u002e"},"msg":"failed"}`,
		`{"level":"error","error":{"type":"api_key","message":"hunter2"}}`,
	} {
		all := scan(text)
		if len(all) != 1 || all[0].Type == "" {
			t.Errorf("%s: %+v", text, all)
		}
		for _, c := range all {
			if strings.Contains(fmt.Sprintf("%+v", c), "hunter2") || c.Message == "" {
				t.Errorf("%s: %+v", text, c)
			}
		}
	}
}

// TestFind_MessageStaysBehindItsType has types that name no secret.
func TestFind_MessageStaysBehindItsType(t *testing.T) {
	c := scan("Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\nValueError: password=hunter2 for x\n")
	if len(c) != 1 || c[0].Type != "ValueError" || c[0].Message != "password=[redacted] for x" {
		t.Errorf("%+v", c)
	}
}

// hostileTexts fill what a scanner keeps: of one block, and of what it finds.
var hostileTexts = map[string]string{
	"short lines": "Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\n" + strings.Repeat("  \n \tx\n", 10<<10) + "ValueError: x\n",
	"a second line": "2026-01-01 10:00:00 ERROR " + strings.Repeat("x y ", 15<<10) + "\n\tat com.example.A.b(A.java:1)\n" +
		strings.Repeat("\tat com.example.A.b(A.java:1)\n", 4<<10),
	"what may belong": "java.lang.IllegalStateException: " + strings.Repeat("x y ", 15<<10) + "\n" + strings.Repeat(strings.Repeat("x y ", 300)+"\n", 10),
	"long lines":      "Traceback (most recent call last):\n" + strings.Repeat("  "+strings.Repeat("x y ", 15<<10)+"\n", 20) + "ValueError: x\n",
	"long message":    "Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\nValueError: " + strings.Repeat("x y ", 15<<10) + "\n",
	"long JSON":       `{"level":50,"err":{"type":"TypeError","message":"x","stack":"TypeError: x\n    at f (/a.js:1:2)` + strings.Repeat(`\n    at f (/b.js:1:2)`, 2<<10) + `"}}` + "\n",
	"long prefix":     strings.Repeat("x y ", 15<<10) + "thread 'main' panicked at a.rs:1:2:\nx\n",
	"logger's line":   "2026-01-01 10:00:00 ERROR " + strings.Repeat("x y ", 15<<10) + "\nx\n",
}

// TestFind_KeepsLittle keeps finds of hostile texts.
func TestFind_KeepsLittle(t *testing.T) {
	for name, text := range hostileTexts {
		var all []Find
		before := heap()
		for range 20 {
			all = append(all, finds(text)...)
		}
		if grown := heap() - before; grown > 20*(64<<10) {
			t.Errorf("%s: %d finds keep %d bytes", name, len(all), grown)
		}
		runtime.KeepAlive(all)
	}
}

// TestScanner_KeepsLittle has an open block in each lane.
func TestScanner_KeepsLittle(t *testing.T) {
	for name, text := range hostileTexts {
		s := newScanner(func(*Find) {})
		before := heap()
		for service := range maxServices + 2 {
			for _, line := range strings.SplitAfter(text, "\n") {
				if !strings.HasPrefix(line, "ValueError") {
					s.Add(Line{Text: fmt.Appendf(nil, "web-%d  | %s", service, strings.TrimSuffix(line, "\n"))})
				}
			}
		}
		if grown := heap() - before; grown > 2<<20 {
			t.Errorf("%s: the scanner keeps %d bytes", name, grown)
		}
		runtime.KeepAlive(s)
	}
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestFind_KeyIsCut has a private key of which a block keeps only the end.
func TestFind_KeyIsCut(t *testing.T) {
	for _, text := range []string{
		"Traceback (most recent call last):\n" + strings.Repeat("  x\n", 20<<10) + "  -----BEGIN PRIVATE KEY-----\n" +
			strings.Repeat("  aaaabbbbcccc\n", 4<<10) + "ValueError: x\n",
		`{"level":50,"err":{"type":"TypeError","message":"x","stack":"TypeError: x\n    at f (/a.js:1:2)\n` +
			strings.Repeat(`    at f (/b.js:1:2)\n`, 1<<10) + `-----BEGIN PRIVATE KEY-----\n` + strings.Repeat(`aaaabbbbcccc\n`, 2<<10) + `"}}`,
	} {
		all := scan(text)
		if len(all) != 1 || strings.Contains(all[0].Stacktrace, "aaaabbbbcccc") {
			t.Errorf("%.300s: %+v", text, all)
		}
	}
}
