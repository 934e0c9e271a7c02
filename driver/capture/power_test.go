package capture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/incident"
)

// image is a spool as a crash of the kernel left it, and the FIFOs beside it.
type image struct {
	spool string
	boot  string // a file with the boot id of the kernel that reads it
}

// recoverImage lives a process's life on an image: it recovers, runs and closes.
// It fails the test if what is left breaks an invariant, and returns the segments.
func recoverImage(t *testing.T, img image) map[spool.Segment]*spool.Meta {
	t.Helper()
	before := markers(t, img.spool)
	h := newHostIn(t, img.spool, func(c *Config, _ *spool.Options) {
		c.BootFile = img.boot
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	})
	if err := h.Recover(); err != nil {
		t.Logf("Recover says: %v", err)
	}
	h.run()
	h.eventually("no stream of the dead kernel is left", func() bool { return len(h.streams.all()) == 0 })
	all, err := h.cfg.Spool.List()
	if err != nil {
		t.Fatal(err)
	}
	metas := map[spool.Segment]*spool.Meta{}
	for _, seg := range all {
		m, err := h.cfg.Spool.Look(seg)
		if err != nil {
			t.Errorf("%s: %v", seg.Path(), err)
			continue
		}
		metas[seg] = m
		if seg.Name.State == spool.Sealed {
			checkSealed(t, img.spool, seg, m)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(img.spool, "*", "*.log")); len(left) > 0 {
		t.Errorf("still active: %v", left)
	}
	if left, _ := os.ReadDir(filepath.Join(img.spool, journal.Dir)); len(left) > 0 {
		t.Errorf("still registered: %v", left)
	}
	h.eventually("the incidents are closed", func() bool {
		for id, r := range markers(t, img.spool) {
			if _, was := before[id]; was && r.Closed == "" {
				return false
			}
		}
		return true
	})
	after := markers(t, img.spool)
	for id := range before {
		if r, there := after[id]; there && r.Closed != incident.ClosedRecover {
			t.Errorf("incident %s is closed because of %q, want recover", id, r.Closed)
		}
	}
	h.stop()
	return metas
}

// checkSealed wants whole records, no NUL byte, and the first record's own time in
// the name, the key and the metadata.
func checkSealed(t *testing.T, sp string, seg spool.Segment, m *spool.Meta) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sp, seg.Path()))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.IndexByte(text, 0) >= 0 {
		t.Errorf("%s has NUL bytes", seg.Path())
	}
	format, err := record.ParseFormat(m.Stream.Format)
	if err != nil {
		t.Fatal(err)
	}
	var first record.Record
	lines := 0
	for line := range bytes.Lines(text) {
		var rec record.Record
		whole, ok := bytes.CutSuffix(line, []byte("\n"))
		if !ok && format != record.Raw || record.Parse(format, whole, &rec) != nil {
			t.Errorf("%s, line %d is no whole record: %q", seg.Path(), lines+1, line)
		}
		if lines++; lines == 1 {
			first = rec
		}
	}
	at := time.Unix(0, first.Time).UTC()
	if format == record.Raw {
		at = m.First // the text does not tell
	}
	if seg.Name.Time != at.Truncate(time.Microsecond) || m.First.Truncate(time.Microsecond) != seg.Name.Time ||
		!strings.Contains(m.Key, "dt="+at.Format(time.DateOnly)+"/") || !strings.Contains(m.Key, seg.Name.Time.Format(spool.Stamp)) ||
		m.Metadata()["first-time"] != m.First.UTC().Format(time.RFC3339Nano) {
		t.Errorf("%s begins at %v; first %v, key %s", seg.Path(), at, m.First, m.Key)
	}
}

// markers are the records of the incidents that are open or closed, by ID.
func markers(t *testing.T, spool string) map[string]*incident.Record {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(spool, incident.StateDir, "*"))
	found := map[string]*incident.Record{}
	for _, name := range names {
		id, state, _ := strings.Cut(strings.Replace(filepath.Base(name), ".", "_", 1), ".") // the time in an id has a dot
		id = strings.Replace(id, "_", ".", 1)
		if state != string(incident.Open) && state != string(incident.Closing) {
			continue
		}
		data, err := os.ReadFile(name)
		r := &incident.Record{}
		if err == nil {
			_ = json.Unmarshal(data, r) // a damaged one says nothing
			found[id] = r
		}
	}
	return found
}

// crash is a spool of one container with an open incident, whose text ends in what
// a test puts there.
type crash struct {
	*container
	img   image
	event string
}

var formats = []string{"cri", "syslog", "raw"}

// newCrash lets a container write an error and a line, and takes the image.
func newCrash(t *testing.T, format string) *crash {
	t.Helper()
	boot := filepath.Join(t.TempDir(), "boot_id")
	if err := os.WriteFile(boot, []byte("11111111-0000-0000-0000-000000000000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	notices := make(chan string, 1)
	h := newHostIn(t, t.TempDir(), func(c *Config, _ *spool.Options) {
		c.BootFile = boot
		c.Opened = func(e *incident.Event) { notices <- e.Data.ID }
	})
	h.run()
	c := h.start("web", map[string]string{"format": format})
	c.line(0, serverError)
	c.line(1, "one")
	h.eventually("both lines are there", func() bool {
		text := c.text()
		return strings.Count(text, "\n") == 2
	})
	k := &crash{container: c, event: <-notices}
	k.img.spool = filepath.Join(t.TempDir(), "spool")
	if err := os.CopyFS(k.img.spool, os.DirFS(h.dir)); err != nil {
		t.Fatal(err)
	}
	h.stop()
	// The FIFO's inode is on the disk and survives, empty and without a writer.
	c.w.Close()
	if err := unix.Mkfifo(c.fifo, 0o700); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	k.img.boot = filepath.Join(t.TempDir(), "boot_id")
	if err := os.WriteFile(k.img.boot, []byte("22222222-0000-0000-0000-000000000000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}

// file is a file of the image.
func (k *crash) file(name ...string) string {
	return filepath.Join(append([]string{k.img.spool}, name...)...)
}

func (k *crash) active() string { return k.file("web-"+k.info.ID(), "web.log") }

func (k *crash) appends(text string) {
	k.Helper()
	f, err := os.OpenFile(k.active(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		k.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		k.Fatal(err)
	}
}

// tails are how a text ends after a crash; %s is a whole record.
var tails = map[string]func(whole string) string{
	"nothing torn":                    func(string) string { return "" },
	"half a record":                   func(whole string) string { return whole[:len(whole)/2] },
	"a record without its newline":    func(whole string) string { return whole[:len(whole)-1] },
	"NUL bytes":                       func(string) string { return strings.Repeat("\x00", 118) },
	"pages of NUL bytes":              func(string) string { return strings.Repeat("\x00", 3*4096+17) },
	"half a record and NUL bytes":     func(whole string) string { return whole[:len(whole)/2] + strings.Repeat("\x00", 2750) },
	"records and NUL bytes":           func(whole string) string { return whole + whole + strings.Repeat("\x00", 700) },
	"NUL bytes in the last record":    func(whole string) string { return whole[:len(whole)-4] + strings.Repeat("\x00", 90) + "\n" },
	"NUL bytes before a newline":      func(string) string { return strings.Repeat("\x00", 90) + "\n" },
	"the rest of a record, a newline": func(whole string) string { return whole[7:] },
}

// TestPowerCut_Tails recovers texts that end in what a kernel leaves that died.
func TestPowerCut_Tails(t *testing.T) {
	for _, format := range formats {
		for name, tail := range tails {
			t.Run(format+" "+name, func(t *testing.T) {
				k := newCrash(t, format)
				text, err := os.ReadFile(k.active())
				if err != nil {
					t.Fatal(err)
				}
				whole := string(text[:bytes.IndexByte(text, '\n')+1])
				torn := tail(whole)
				if format == "raw" && !strings.HasSuffix(torn, "\x00") {
					t.Skip("raw text cannot be cut: docs/guarantees.md")
				}
				k.appends(torn)
				k.check(string(text), strings.Count(torn, whole), whole)
			})
		}
	}
}

// check recovers the image and wants the text, and further whole records behind it.
func (k *crash) check(text string, further int, whole string) {
	k.Helper()
	metas := recoverImage(k.T, k.img)
	if len(metas) != 1 {
		k.Fatalf("%d segments", len(metas))
	}
	for seg, m := range metas {
		if seg.Name.Reason != spool.Recover || m.Event != k.event {
			k.Errorf("%s, of incident %q, want recover and %q", seg.Path(), m.Event, k.event)
		}
		got, err := os.ReadFile(k.file(seg.Path()))
		want := text + strings.Repeat(whole, further)
		if k.info.Config["format"] == "raw" {
			got = got[:min(len(got), len(want))] // half a line may stand behind
		}
		if err != nil || string(got) != want {
			k.Errorf("%q, want %q, %v", got, want, err)
		}
	}
	if _, err := os.Lstat(k.fifo); err == nil {
		k.Error("the FIFO is still there")
	}
	if all := markers(k.T, k.img.spool); len(all) != 1 || all[k.event] == nil {
		k.Errorf("incidents %v, want %s alone", all, k.event)
	}
}

// TestPowerCut_StaleCursor has a cursor tell of an earlier segment, which began on
// the day before.
func TestPowerCut_StaleCursor(t *testing.T) {
	for _, format := range formats[:2] {
		for _, boot := range []string{"another", "none"} { // an earlier version kept none
			t.Run(format+" boot id "+boot, func(t *testing.T) {
				k := newCrash(t, format)
				text, err := os.ReadFile(k.active())
				if err != nil {
					t.Fatal(err)
				}
				r := k.openJournal()
				c, err := r.Known(&journal.Entry{FIFO: k.fifo})
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Set(journal.Intent{Began: t0.AddDate(0, 0, -1).UnixNano(), Offset: 40, Text: 20, Frames: 30, Sum: 1}); err != nil {
					t.Fatal(err)
				}
				c.Close()
				if boot == "none" {
					k.rewriteEntry(func(e map[string]any) { delete(e, "boot") })
				}
				k.check(string(text), 0, "")
			})
		}
	}
}

func (k *crash) openJournal() *journal.Journal {
	k.Helper()
	root, err := os.OpenRoot(k.file(journal.Dir))
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { root.Close() })
	return journal.New(root, nil, "")
}

func (k *crash) rewriteEntry(change func(map[string]any)) {
	k.Helper()
	name := k.file(journal.Dir, journal.Name(k.fifo)+journal.EntrySuffix)
	data, err := os.ReadFile(name)
	e := map[string]any{}
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	change(e)
	if err == nil {
		data, err = json.Marshal(e)
	}
	if err == nil {
		err = os.WriteFile(name, data, 0o600)
	}
	if err != nil {
		k.Fatal(err)
	}
}

// TestPowerCut_FilesOfNULs has each small file of the spool be empty or NUL bytes.
// None keeps the text from being recovered.
func TestPowerCut_FilesOfNULs(t *testing.T) {
	for _, format := range formats {
		for what, pattern := range map[string]string{
			"description": "web-*/.stream.json", "registry": journal.Dir + "/*.json", "cursor": journal.Dir + "/*.cursor", "incident": incident.StateDir + "/*.open",
		} {
			for how, content := range map[string][]byte{"empty": nil, "NUL": make([]byte, 600)} {
				t.Run(fmt.Sprint(format, " ", what, " ", how), func(t *testing.T) {
					k := newCrash(t, format)
					text, err := os.ReadFile(k.active())
					if err != nil {
						t.Fatal(err)
					}
					names, _ := filepath.Glob(k.file(pattern))
					if len(names) != 1 {
						t.Fatalf("%s: %v", pattern, names)
					}
					if err := os.WriteFile(names[0], content, 0o600); err != nil {
						t.Fatal(err)
					}
					if what == "registry" {
						os.Remove(k.fifo) // which nobody knows any more
					}
					k.check(string(text), 0, "")
				})
			}
		}
	}
}

// TestPowerCut_Images recovers spools of real crashes, if LOGFAST_CRASH_IMAGES names
// a directory with one below it each, or testdata/crash has some. Their FIFOs are
// made where the registry says, below a directory of the test.
func TestPowerCut_Images(t *testing.T) {
	dirs := []string{filepath.Join("testdata", "crash")}
	if dir := os.Getenv("LOGFAST_CRASH_IMAGES"); dir != "" {
		dirs = append(dirs, dir)
	}
	var images []string
	for _, dir := range dirs {
		found, _ := filepath.Glob(filepath.Join(dir, "*"))
		images = append(images, found...)
	}
	slices.Sort(images)
	for _, from := range images {
		t.Run(filepath.Base(from), func(t *testing.T) {
			k := &crash{container: &container{host: &host{T: t}}}
			k.img.spool, k.img.boot = filepath.Join(t.TempDir(), "spool"), filepath.Join(t.TempDir(), "boot_id")
			if err := os.CopyFS(k.img.spool, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(k.img.boot, []byte("33333333-0000-0000-0000-000000000000\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			entries, _ := filepath.Glob(k.file(journal.Dir, "*"+journal.EntrySuffix))
			for _, name := range entries {
				k.moveFIFO(name)
			}
			open := markers(t, k.img.spool)
			actives, _ := filepath.Glob(k.file("*", "*.log"))
			metas := recoverImage(t, k.img)
			for seg, m := range metas {
				active := k.file(seg.Dir, seg.Name.Active)
				if slices.Contains(actives, active) && seg.Name.Reason == spool.Recover && m.Event != "" && len(open) > 0 && open[m.Event] == nil {
					t.Errorf("%s has incident %s, and %d others were open", seg.Path(), m.Event, len(open))
				}
			}
		})
	}
}

// moveFIFO gives a registered stream of an image an empty FIFO below the test's
// directory, without a writer.
func (k *crash) moveFIFO(name string) {
	k.Helper()
	data, err := os.ReadFile(name)
	var e journal.Entry
	if err != nil || json.Unmarshal(data, &e) != nil || e.FIFO == "" {
		return // it is damaged, and stays so
	}
	fifo := filepath.Join(k.TempDir(), filepath.Base(e.FIFO))
	data = bytes.ReplaceAll(data, []byte(e.FIFO), []byte(fifo))
	base := k.file(journal.Dir, journal.Name(fifo))
	was := strings.TrimSuffix(name, journal.EntrySuffix)
	if err := unix.Mkfifo(fifo, 0o700); err != nil {
		k.Fatal(err)
	}
	if err := os.WriteFile(base+journal.EntrySuffix, data, 0o600); err != nil {
		k.Fatal(err)
	}
	_ = os.Rename(was+journal.CursorSuffix, base+journal.CursorSuffix) // there may be none
	if err := os.Remove(name); err != nil {
		k.Fatal(err)
	}
}
