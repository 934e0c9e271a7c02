package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/plugin/control"
)

// evil is what others may put into a name: sequences of a terminal, in ASCII, as
// UTF-8 and as a byte, a newline, tabs, and letters in reverse order.
const evil = "\x1b]0;owned\x07\x1b[2J\u009b31m\x9b31m\r\b\x7f\nlogfast: all is well\t\u202egpj\u2066\u200b$(touch x)'"

// evilText is evil as text that JSON keeps as it is.
var evilText = strings.ToValidUTF8(evil, "")

// evilKey is a key with what a store takes.
const evilKey = "logs/dt=2026-03-23/\u009b31m\u202e$(touch x)';touch y;.log"

// evilArchive adds hostile names to what makeArchive makes, and returns the store
// and the spool.
func evilArchive(t *testing.T) (objects, sp string) {
	t.Helper()
	dir := ramDir(t)
	objects, sp = filepath.Join(dir, "store"), filepath.Join(dir, "spool")
	if err := makeArchive(objects, sp); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LOGFAST_STORE", "file://"+objects)
	t.Setenv("LOGFAST_SPOOL", sp)
	to, err := store.OpenDir(objects, store.DirOptions{UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	put := func(key string, data []byte, metadata map[string]string) {
		t.Helper()
		attrs := store.Attributes{Size: int64(len(data)), SHA256: sha256.Sum256(data), ContentType: "application/gzip", Metadata: metadata}
		if err := to.Put(t.Context(), key, bytes.NewReader(data), attrs); err != nil {
			t.Fatal(err)
		}
	}
	text := "2026-03-23T19:03:05.000000000Z stdout F colour \x1b[31mred \u009b \x9b \u202etab\there\n"
	put(evilKey, []byte(text), map[string]string{
		"container-id": strings.Repeat("a", 64), "first-time": "2026-03-23T19:03:05Z", "last-time": "2026-03-23T19:03:05Z", "lines": "1", "bytes": fmt.Sprint(len(text)), "errors": "1", "format": "cri",
		"app": "$(touch x)", "host": "h", "reason": "error",
	})
	at := t0.Add(4 * time.Second)
	id := "20260323T190305.000000Z-ffffffff"
	e := incident.Event{SpecVersion: "1.0", ID: id, Source: "/logfast/x", Type: incident.TypeShipped, Subject: evilText, Time: at, DataContentType: "application/json", Data: incident.Incident{
		ID: id, Host: evilText, Scope: "container", Closed: incident.ClosedQuiet, First: at, Last: at, Errors: 1, ByStatus: map[string]int64{"502": 1}, Lines: 1, Bytes: int64(len(text)),
		Containers:   []incident.Container{{ID: strings.Repeat("a", 64), Name: evilText, Image: evilText, App: evilText, Group: evilText, Labels: map[string]string{evilText: evilText}}},
		Fingerprints: []incident.Fingerprint{{ID: "00c1a5e0b7d4f312", App: evilText, Method: "GET", Route: "/" + evilText, Status: 502, Errors: 1, First: at, Last: at}},
		Samples:      []incident.Sample{{Time: at, Container: evilText, Stream: "stdout", Status: 502, Rule: "request", Fingerprint: "00c1a5e0b7d4f312", Text: evilText, Context: evilText, Key: evilKey, Line: 1}},
		Objects:      []incident.Object{{Key: evilKey, Container: evilText, Reason: "error", First: at, Last: at, Lines: 1, Errors: 1, Bytes: 10, Size: 10}},
	}}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	put("incidents/dt=2026-03-23/host=x/"+id+".json", data, nil)
	// A directory of the spool, as its owner or a guest of it can make it.
	s := spool.Stream{ID: strings.Repeat("b", 64), Name: evilText, Host: evilText, App: evilText, Group: evilText, Image: evilText, Format: "cri"}
	desc, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ReplaceAll(evil, "/", "_")
	if err := errors.Join(
		os.Mkdir(filepath.Join(sp, name+"-bbbbbbbbbbbb"), 0o755),
		os.WriteFile(filepath.Join(sp, name+"-bbbbbbbbbbbb", ".stream.json"), desc, 0o644),
		os.WriteFile(filepath.Join(sp, name+"-bbbbbbbbbbbb", name+".log"), []byte(text), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	return objects, sp
}

// visible reports what in an output a terminal would not show.
func visible(out string) error {
	out = strings.ReplaceAll(out, "tab\there", "") // of a line
	for i := 0; i < len(out); {
		r, n := utf8.DecodeRuneInString(out[i:])
		if r == utf8.RuneError && n == 1 || r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return fmt.Errorf("%q at %d in %q", out[i:i+n], i, out[max(0, i-60):min(len(out), i+60)])
		}
		i += n
	}
	return nil
}

// TestPrinting_Fields looks at what every command prints of hostile names, also
// when it is piped.
func TestPrinting_Fields(t *testing.T) {
	evilArchive(t)
	for _, args := range [][]string{
		{"ls"}, {"ls", "--json"}, {"ls", "--no-store"}, {"cat", "--json"}, {"grep", "-l", "colour"}, {"grep", "--json", "."},
		{"incidents"}, {"incidents", "--json"}, {"incident", "20260323T190305.000000Z-f"}, {"incident", "--json", "20260323T190305.000000Z-f"},
		{"cat", evil}, {"cat", "--since", evil}, {"incident", evil}, {"ls", "--app", evil}, {"ls", "--app", "[" + evil}, {"ls", "--store", "s3://" + evil},
		{"ls", "--spool", evil}, {"ls", "--config", evil}, {"check", "--config", evil}, {"grep", "(" + evil}, {"detect", evil}, {"cause", evil}, {"detect", "--pattern", "(" + evil},
		{"status", "--spool", evil}, {"flush", "--spool", evil}, {"tail", "--json"},
	} {
		var stdout, stderr bytes.Buffer
		Run(args, &stdout, &stderr)
		if stdout.Len()+stderr.Len() == 0 {
			t.Errorf("%q: nothing is printed", args)
		}
		for _, out := range []string{stdout.String(), stderr.String()} {
			if err := visible(out); err != nil {
				t.Errorf("%q: %v", args, err)
			}
			if strings.Contains("\n"+out, "\nlogfast: all is well") {
				t.Errorf("%q: a forged line in %q", args, out)
			}
		}
	}
	var out bytes.Buffer
	Run([]string{"incident", "20260323T190305.000000Z-f"}, &out, io.Discard)
	want := `All of it: logfast cat $'logs/dt=2026-03-23/\xc2\x9b'$'31m\xe2\x80\xae$(touch x)\';touch y;.log'`
	if !strings.Contains(out.String(), want) {
		t.Errorf("%s\nwithout %s", out.String(), want)
	}
}

// TestPrinting_Lines prints a hostile line: as it is into a file, and escaped on a
// terminal, unless --raw is given.
func TestPrinting_Lines(t *testing.T) {
	evilArchive(t)
	whole := "colour \x1b[31mred \u009b \x9b \u202etab\there"
	shown := `colour \x1b[31mred \u009b \x9b \u202etab` + "\t" + "here"
	for _, form := range []string{"stored", "text", "cri"} {
		var piped bytes.Buffer
		if status := Run([]string{"grep", "--output", form, "colour"}, &piped, io.Discard); status != 0 || strings.Count(piped.String(), whole+"\n") != 2 {
			t.Errorf("%s: %d, %q", form, status, piped.String())
		}
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"grep", "colour"}, shown},
		{[]string{"grep", "--raw", "colour"}, whole},
		{[]string{"tail", "--prefix", "--output", "text", "--host", "h"}, "h/aaaaaaaaaaaa " + shown},
		{[]string{"cat", "--output", "cri", evilKey}, " stdout F " + shown},
	} {
		master, slave := pty(t)
		raw(t, slave)
		done := make(chan string)
		go func() {
			out, _ := io.ReadAll(io.LimitReader(master, 64<<10)) // EIO at its end
			done <- string(out)
		}()
		Run(tt.args, slave, io.Discard)
		slave.Close()
		if out := <-done; !strings.Contains(out, tt.want) || tt.want != whole && strings.Contains(out, "\x1b") {
			t.Errorf("%q: %q, want %q", tt.args, out, tt.want)
		}
	}
}

// TestPrinting_Plugin prints what a plugin answers: container's names, and texts
// of its store.
func TestPrinting_Plugin(t *testing.T) {
	server := &control.Server{Metrics: http.NotFoundHandler(), Status: func() control.Status {
		s := someStatus()
		s.Host, s.Version, s.Store, s.LogLevel, s.Reasons = evil, evil, evil, evil, []string{evil}
		s.Uploads.LastError = evil
		for i := range s.Streams {
			s.Streams[i].Container = evil
		}
		for i := range s.Targets {
			s.Targets[i].Name, s.Targets[i].LastError = evil, evil
		}
		for i := range s.Events {
			s.Events[i].Scope = evil
		}
		s.Seals = map[string]int64{evil: 1}
		s.Health = control.Unhealthy
		return s
	}}
	spool := serving(t, server)
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"log-level"}} {
		var stdout, stderr bytes.Buffer
		Run(append(args, "--spool", spool), &stdout, &stderr)
		if stdout.Len() == 0 {
			t.Errorf("%q: %s", args, stderr.String())
		}
		for _, out := range []string{stdout.String(), stderr.String()} {
			if err := visible(out); err != nil {
				t.Errorf("%q: %v", args, err)
			}
		}
	}
	// A shell puts a completed name into its command line as it is.
	var stdout bytes.Buffer
	Run([]string{"__complete", "--", "flush", "--spool", spool, ""}, &stdout, io.Discard)
	if strings.Contains(stdout.String(), "touch") {
		t.Errorf("%q", stdout.String())
	}
	var findings bytes.Buffer
	if err := printFindings(&findings, []control.Finding{{Check: evil, Result: control.Fail, Detail: evil, Remedy: evil}}); err != nil || visible(findings.String()) != nil {
		t.Errorf("%v, %q", err, findings.String())
	}
	var flushed bytes.Buffer
	f := flushing{bar: newProgress(io.Discard), stdout: &flushed}
	f.step(control.Flush{Shipped: &control.Segment{Key: evil}})
	if visible(flushed.String()) != nil || strings.Count(flushed.String(), "\n") != 1 {
		t.Errorf("%q", flushed.String())
	}
}

// raw lets a terminal take bytes as they are.
func raw(t *testing.T, tty *os.File) {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	mode.Oflag &^= unix.OPOST
	if err := unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, mode); err != nil {
		t.Fatal(err)
	}
}
