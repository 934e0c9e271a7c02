package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/incident"
)

// TestArchive runs the scripts of the archive's commands, each with the archive
// that makeArchive makes.
func TestArchive(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/archive", WorkdirRoot: ramDir(t), Setup: withArchive, UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != ""})
}

// TestTheArchivesPage runs every command of docs/archive.md, and compares what
// they print with what the page says.
func TestTheArchivesPage(t *testing.T) {
	page, err := os.ReadFile("../docs/archive.md")
	if err != nil {
		t.Fatal(err)
	}
	var script, files strings.Builder
	commands := 0
	for i, block := range strings.Split(string(page), "```console\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		command, output, _ := strings.Cut(block, "\n")
		line, ok := strings.CutPrefix(command, "$ ")
		if !ok {
			t.Fatalf("block %d does not begin with a command: %q", i, command)
		}
		commands++
		fmt.Fprintf(&script, "exec sh -c '%s'\ncmp stdout out%d\n", strings.ReplaceAll(line, "'", "''"), i)
		fmt.Fprintf(&files, "-- out%d --\n%s", i, output)
	}
	if commands < 10 {
		t.Fatalf("only %d commands are there", commands)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.txt"), []byte(script.String()+files.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Dir: dir, WorkdirRoot: ramDir(t), Setup: withArchive})
}

// ramDir is a directory in which a sync costs nothing.
func ramDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "logfast-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// withArchive makes an archive for a script, and its environment.
func withArchive(env *testscript.Env) error {
	store, spool := filepath.Join(env.WorkDir, "store"), filepath.Join(env.WorkDir, "spool")
	env.Setenv("STORE", "file://"+store)
	env.Setenv("LOGFAST_STORE", "file://"+store)
	env.Setenv("LOGFAST_SPOOL", spool)
	env.Setenv("TZ", "Europe/Berlin")
	return makeArchive(store, spool)
}

// t0 is the time of the archive's first line.
var t0 = time.Date(2026, 3, 23, 19, 3, 1, 0, time.UTC)

func container(name, id, host string) spool.Stream {
	return spool.Stream{
		ID: (id + strings.Repeat("0", 64))[:64], Name: name, Image: name + ":1", Host: host, App: "shop-" + name, Group: "shop", Format: "cri",
	}
}

// makeArchive makes what three containers on two hosts have left: db's host is
// another one, web's first two segments are uploaded, its third is active.
func makeArchive(objects, sp string) error {
	dir, err := store.OpenDir(objects, store.DirOptions{UID: -1, GID: -1})
	if err != nil {
		return err
	}
	defer dir.Close()
	key, err := spool.ParseKeyTemplate(spool.DefaultKey)
	if err != nil {
		return err
	}
	b := &builder{store: dir, key: key}
	web, worker, db := container("web", "1a2b3c4d5e6f", "web-1"), container("worker", "2b3c4d5e6f7a", "web-1"), container("db", "3c4d5e6f7a8b", "db-1")
	db.Labels, db.Env = map[string]string{"team": "blau ü"}, map[string]string{"STAGE": "prod"}
	o, err := spool.Open(sp, spool.Options{Key: key, Triage: triage.New(detect.Auto{}, nil), UID: -1, GID: -1})
	if err != nil {
		return err
	}
	defer o.Close()
	b.spool = o
	first := b.text(0, "out 10.0.0.1 - - \"GET / HTTP/1.1\" 200 12", 2, "out 10.0.0.1 - - \"GET /cart HTTP/1.1\" 200 512",
		4, "err Traceback (most recent call last):", 4, "out 10.0.0.2 - - \"POST /orders/4711 HTTP/1.1\" 502 157", 6, "out 10.0.0.2 - - \"GET /cart HTTP/1.1\" 200 512")
	object := b.put(web, 1, spool.Error, first)
	b.put(db, 1, spool.Size, b.text(1, "out LOG: statement: SELECT 1", 3, "out LOG: timeout of order 4711", 5, "out LOG: checkpoint"))
	b.put(db, 2, spool.Size, b.text(24*3600, "out LOG: a day later"))
	b.local(web, 1, first, spool.Error, true)
	b.local(web, 2, b.text(60, "out 10.0.0.3 - - \"GET /health HTTP/1.1\" 200 2"), spool.Size, false)
	b.local(web, 3, b.text(3600, "out 10.0.0.4 - - \"GET / HTTP/1.1\" 200 12"), "", false)
	b.local(worker, 1, b.text(5, "out job 4711 began", 7, "err job 4711 Failed: timeout"), spool.Stop, false)
	b.incident(object, first)
	return b.err
}

// builder keeps the first error.
type builder struct {
	store *store.Dir
	spool *spool.Spool
	key   *spool.KeyTemplate
	err   error
}

// text makes records: seconds after t0, and stream and text.
func (b *builder) text(pairs ...any) string {
	w := record.NewWriter(record.CRI, "", "", "")
	var text []byte
	for i := 0; i < len(pairs); i += 2 {
		stream, line, _ := strings.Cut(pairs[i+1].(string), " ")
		r := record.Record{Time: t0.Add(time.Duration(pairs[i].(int)) * time.Second).UnixNano(), Text: []byte(line)}
		if stream == "err" {
			r.Stream = record.Stderr
		}
		text = w.Append(text, &r)
	}
	return string(text)
}

func describeText(text string) (first, last time.Time, errors int64) {
	for line := range strings.Lines(text) {
		var r record.Record
		if record.Parse(record.CRI, []byte(strings.TrimSuffix(line, "\n")), &r) != nil {
			continue
		}
		last = time.Unix(0, r.Time).UTC()
		if first.IsZero() {
			first = last
		}
		if _, found := (detect.Auto{}).Detect(r.Text); found {
			errors++
		}
	}
	return first, last, errors
}

// put puts a segment into the store and returns its key.
func (b *builder) put(s spool.Stream, seq int, reason spool.Reason, text string) string {
	first, last, errs := describeText(text)
	m := &spool.Meta{Stream: s, Seq: seq, Reason: reason, First: first, Last: last, Lines: int64(strings.Count(text, "\n")), Bytes: int64(len(text)), Errors: errs}
	key := b.key.Render(m)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(text))
	z.Close()
	b.object(key, packed.Bytes(), m.Metadata())
	return key
}

func (b *builder) object(key string, data []byte, metadata map[string]string) {
	attrs := store.Attributes{Size: int64(len(data)), SHA256: sha256.Sum256(data), ContentType: "application/gzip", Metadata: metadata}
	b.err = errors.Join(b.err, b.store.Put(context.Background(), key, bytes.NewReader(data), attrs))
}

// local writes a segment into the spool: sealed for a reason, packed and
// uploaded, or with none active.
func (b *builder) local(s spool.Stream, seq int, text string, reason spool.Reason, uploaded bool) {
	w := b.spool.Writer(s)
	first, last, errs := describeText(text)
	_, err := w.Append(&spool.Batch{Text: []byte(text), First: first.UnixNano(), Last: last.UnixNano(), Lines: int64(strings.Count(text, "\n")), Errors: errs}, 1<<40)
	b.err = errors.Join(b.err, err)
	if reason == "" {
		return // and the process ends as if it were killed
	}
	sealed, err := w.Seal(reason)
	_, closeErr := w.Close()
	b.err = errors.Join(b.err, err, closeErr)
	if b.err != nil || !uploaded {
		return
	}
	all, err := b.spool.List(spool.Sealed)
	b.err = errors.Join(b.err, err)
	for _, seg := range all {
		if !strings.HasSuffix(sealed, seg.Name.String()) || seg.Name.Seq != seq {
			continue
		}
		packed, err := b.spool.Pack(seg, nil, nil)
		if err == nil {
			err = b.spool.Uploaded(packed)
		}
		b.err = errors.Join(b.err, err)
	}
}

// incident puts the incident of the one error, and an older one of its kind.
func (b *builder) incident(key, text string) {
	at := t0.Add(4 * time.Second)
	offset := int64(strings.Index(text, "2026-03-23T19:03:05.000000000Z stdout"))
	for _, i := range []incident.Incident{
		{
			ID: "20260323T190305.000000Z-8c1f02aa", First: at, Last: at, Errors: 1,
			Samples: []incident.Sample{{
				Time: at, Container: "web", Stream: "stdout", Status: 502, Rule: "request", Fingerprint: "00c1a5e0b7d4f311",
				Text: `10.0.0.2 - - "POST /orders/4711 HTTP/1.1" 502 157`, Key: key, Line: 4, Offset: offset,
			}},
			Objects: []incident.Object{{Key: key, Container: "web", Reason: "error", First: t0, Last: t0.Add(6 * time.Second), Lines: 5, Errors: 1, Bytes: int64(len(text)), Size: 200}},
		},
		{ID: "20260322T080000.000000Z-11aa22bb", First: t0.AddDate(0, 0, -1), Last: t0.AddDate(0, 0, -1).Add(time.Minute), Errors: 3, Missing: 1, Unlisted: 2},
	} {
		i.Host, i.Scope, i.Closed, i.Lines, i.Bytes = "web-1", "container", incident.ClosedQuiet, 5, int64(len(text))
		i.ByStatus = map[string]int64{"502": i.Errors}
		i.Containers = []incident.Container{{ID: strings.Repeat("1a2b3c4d5e6f", 6)[:64], Name: "web", Image: "web:1", App: "shop-web", Group: "shop"}}
		i.Fingerprints = []incident.Fingerprint{{ID: "00c1a5e0b7d4f311", App: "shop-web", Method: "POST", Route: "/orders/{n}", Status: 502, Errors: i.Errors, First: i.First, Last: i.Last}}
		e := incident.Event{SpecVersion: "1.0", ID: i.ID, Source: "/logfast/web-1", Type: incident.TypeShipped, Subject: "shop-web", Time: i.Last, DataContentType: "application/json", Data: i}
		data, err := json.Marshal(e)
		b.err = errors.Join(b.err, err)
		b.object("incidents/dt="+i.First.Format("2006-01-02")+"/host=web-1/"+i.ID+".json", data, nil)
	}
}
