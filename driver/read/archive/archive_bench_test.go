package archive

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/logfast/logfast/bench/lines"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
)

var megabytes = flag.Int("archive.mb", 64, "MB of text for the benchmarks")

// day makes a day of access logs in a directory store: segments of 5 MB, of 20
// containers. It returns how much text that is, in bytes.
func day(b *testing.B, dir string) (size int64) {
	b.Helper()
	key := mustKeyOf(b, spool.DefaultKey)
	for n := 0; size < int64(*megabytes)<<20; n++ {
		s := stream(fmt.Sprint("c", n%20))
		g, w := lines.New(uint64(n)), record.NewWriter(record.CRI, "", "", "")
		at := begin.Truncate(24 * time.Hour).Add(time.Duration(n/20) * time.Hour)
		m := &spool.Meta{Stream: s, Seq: n/20 + 1, Reason: spool.Size, First: at}
		var text, line []byte
		for len(text) < 5<<20 {
			line = g.Append(line[:0])
			text = w.Append(text, &record.Record{Time: at.UnixNano(), Text: line})
			at = at.Add(20 * time.Millisecond)
			m.Lines++
		}
		size += int64(len(text))
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write(text)
		z.Close()
		path := filepath.Join(dir, key.Render(m))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return size
}

func mustKeyOf(b *testing.B, template string) *spool.KeyTemplate {
	b.Helper()
	k, err := spool.ParseKeyTemplate(template)
	if err != nil {
		b.Fatal(err)
	}
	return k
}

// BenchmarkDay compares grep and cat with what people have on any machine.
func BenchmarkDay(b *testing.B) {
	dir := b.TempDir()
	size := day(b, dir)
	run := func(name string, f func(b *testing.B)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				f(b)
			}
		})
	}
	shell := func(command string) func(b *testing.B) {
		return func(b *testing.B) {
			c := exec.Command("sh", "-c", command)
			c.Dir = dir
			if out, err := c.CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		}
	}
	read := func(sel Selection) func(b *testing.B) {
		return func(b *testing.B) {
			view, err := store.OpenDirView(dir)
			if err != nil {
				b.Fatal(err)
			}
			defer view.Close()
			a := New(Config{Store: view, Key: mustKeyOf(b, spool.DefaultKey)})
			l, err := a.Segments(b.Context(), Query{Since: begin.Truncate(24 * time.Hour), Until: begin.Truncate(24 * time.Hour).Add(24*time.Hour - 1)})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			sel.Since, sel.Until = begin.Truncate(24*time.Hour), begin.Truncate(24*time.Hour).Add(24*time.Hour-1)
			n := 0
			if err := a.Read(b.Context(), l.Segments, sel, func(line *Line) error { n += len(line.Raw); return nil }); err != nil || n == 0 {
				b.Fatal(n, err)
			}
		}
	}
	pattern := func(s string, fold bool) Selection {
		p, err := ParsePattern(s, false, fold)
		if err != nil {
			b.Fatal(err)
		}
		return Selection{Lines: true, Pattern: p}
	}
	run("grep=text/by=logfast", read(pattern("/api/v1/orders/99", false)))
	run("grep=text/by=zcat", shell("find . -name '*.gz' | sort | xargs zcat | grep -c /api/v1/orders/99"))
	run("grep=expression/by=logfast", read(pattern(`orders/[0-9]+ HTTP/1.1" 404`, false)))
	run("grep=expression/by=zcat", shell(`find . -name '*.gz' | sort | xargs zcat | grep -cE 'orders/[0-9]+ HTTP/1.1" 404'`))
	run("grep=ignorecase/by=logfast", read(pattern("GOOGLEBOT", true)))
	run("grep=ignorecase/by=zcat", shell("find . -name '*.gz' | sort | xargs zcat | grep -ci GOOGLEBOT"))
	run("cat/by=logfast", read(Selection{}))
	run("cat/by=zcat", shell("find . -name '*.gz' | sort | xargs zcat | sort -s -k1,1 > /dev/null"))
}
