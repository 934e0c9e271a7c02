package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	t0  = time.Date(2026, 11, 23, 19, 3, 1, 123456789, time.UTC)
	web = spool.Stream{ID: strings.Repeat("1a2b3c4d5e6f", 6)[:64], Name: "web", Host: "web-1", App: "shop", Format: "cri"}
)

const dir = "web-1a2b3c4d5e6f"

// spool is a spool with a writer of web, and what was read from it.
type fixture struct {
	*testing.T
	*spool.Spool
	*Reader
	path   string
	stream spool.Stream
	w      *spool.Writer
	log    bytes.Buffer
}

func newSpool(t *testing.T, format record.Format) *fixture {
	t.Helper()
	key, err := spool.ParseKeyTemplate(spool.DefaultKey)
	if err != nil {
		t.Fatal(err)
	}
	s := &fixture{T: t, path: t.TempDir(), stream: web}
	s.stream.Format = format.String()
	if s.Spool, err = spool.Open(s.path, spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.Reader = New(Config{Spool: s.Spool, Log: slog.New(slog.NewTextHandler(&s.log, nil)), Heartbeat: time.Hour})
	s.w = s.Writer(s.stream)
	return s
}

func at(second int) time.Time { return t0.Add(time.Duration(second) * time.Second) }

// entry writes a record, second seconds after t0.
func (s *fixture) entry(second int, stream record.Stream, text string, more bool) {
	s.Helper()
	format, err := record.ParseFormat(s.stream.Format)
	if err != nil {
		s.Fatal(err)
	}
	nano := at(second).UnixNano()
	b := spool.Batch{First: nano, Last: nano, Text: record.NewWriter(format, "web-1", "shop", "1a2b").Append(nil, &record.Record{
		Time: nano, Stream: stream, More: more, Text: []byte(text),
	})}
	b.Lines = int64(bytes.Count(b.Text, []byte("\n")))
	if _, err := s.w.Append(&b, 1<<30); err != nil {
		s.Fatal(err)
	}
}

// lines writes the lines from first to last, each named by its number.
func (s *fixture) lines(first, last int) {
	s.Helper()
	for i := first; i <= last; i++ {
		s.entry(i, record.Stdout, fmt.Sprint(i), false)
	}
}

func (s *fixture) seal() {
	s.Helper()
	if _, err := s.w.Seal(spool.Manual); err != nil {
		s.Fatal(err)
	}
}

// advance takes every segment as far as to.
func (s *fixture) advance(to spool.State) {
	s.Helper()
	all, err := s.List()
	if err != nil {
		s.Fatal(err)
	}
	for _, seg := range all {
		if seg.Name.State == spool.Sealed && to >= spool.Packed {
			if seg, err = s.Pack(seg, nil, nil); err != nil {
				s.Fatal(err)
			}
		}
		if seg.Name.State == spool.Packed && to >= spool.Uploaded {
			if err := s.Uploaded(seg); err != nil {
				s.Fatal(err)
			}
		}
	}
}

// prune deletes the oldest uploaded segment.
func (s *fixture) prune() {
	s.Helper()
	all, err := s.List()
	if err == nil {
		err = s.Delete(all[0])
	}
	if err != nil {
		s.Fatal(err)
	}
}

// collector is an Output that Docker's own codec reads.
type collector struct {
	bytes.Buffer
	flushed func()
}

func (c *collector) Flush() error {
	if c.flushed != nil {
		c.flushed()
	}
	return nil
}

// shown decodes frames as "source:line" strings.
func shown(t *testing.T, b []byte) (all []string) {
	t.Helper()
	d := logdriver.NewLogEntryDecoder(bytes.NewReader(b))
	for {
		var e logdriver.LogEntry
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Source+":"+string(e.Line))
	}
}

func (s *fixture) read(req Request) []string {
	s.Helper()
	req.ID = s.stream.ID
	g, err := s.Open(req)
	if err != nil {
		s.Fatal(err)
	}
	defer g.Close()
	var out collector
	if err := g.Copy(context.Background(), &out); err != nil {
		s.Fatal(err)
	}
	return shown(s.T, out.Bytes())
}

func (s *fixture) want(req Request, want ...string) {
	s.Helper()
	if d := cmp.Diff(want, s.read(req)); d != "" {
		s.Errorf("%+v: -want +got\n%s", req, d)
	}
}

// numbers are what lines wrote.
func numbers(first, last int) (all []string) {
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprintf("stdout:%d\n", i))
	}
	return all
}

// all asks for everything.
var all = Request{Tail: -1}

// history writes 0 to 99 into segments of every state, the active one too.
func history(t *testing.T, format record.Format) *fixture {
	s := newSpool(t, format)
	for i, state := range []spool.State{spool.Uploaded, spool.Packed, spool.Packed, spool.Sealed} {
		s.lines(20*i, 20*i+19)
		s.seal()
		s.advance(state)
	}
	s.lines(80, 99)
	return s
}

func TestAllStatesAndFormatsAreOneText(t *testing.T) {
	for _, format := range []record.Format{record.CRI, record.Syslog, record.Raw} {
		t.Run(format.String(), func(t *testing.T) {
			s := history(t, format)
			s.want(all, numbers(0, 99)...)
			for _, tail := range []int{0, 1, 5, 19, 20, 21, 40, 55, 99, 100, 101, 1000} {
				s.want(Request{Tail: tail}, numbers(max(0, 100-tail), 99)...)
			}
		})
	}
}

func TestSinceAndUntilChooseAmongTheTail(t *testing.T) {
	for _, format := range []record.Format{record.CRI, record.Syslog} {
		t.Run(format.String(), func(t *testing.T) {
			s := history(t, format)
			cut := time.Microsecond
			for _, since := range []int{-5, 0, 1, 19, 20, 45, 70, 80, 85, 99, 100} {
				s.want(Request{Tail: -1, Since: at(since).Truncate(cut)}, numbers(max(0, since), 99)...)
				s.want(Request{Tail: 30, Since: at(since).Truncate(cut)}, numbers(max(70, since), 99)...)
				s.want(Request{Tail: -1, Until: at(since)}, numbers(0, min(since, 99))...)
				s.want(Request{Tail: 30, Until: at(since)}, numbers(70, min(since, 99))...)
				shown := at(since) // what docker logs --timestamps shows
				if format == record.Syslog {
					shown = shown.Truncate(cut)
				}
				s.want(Request{Tail: -1, Until: shown}, numbers(0, min(since, 99))...)
				s.want(Request{Tail: -1, Since: at(15).Truncate(cut), Until: at(since)}, numbers(15, min(since, 99))...)
			}
		})
	}
}

func TestSinceFindsItsPlaceInALargeSegment(t *testing.T) {
	s := newSpool(t, record.CRI)
	pad := strings.Repeat("x", 1000)
	for i := range 3000 { // 3 MB: a dozen blocks
		s.entry(i, record.Stdout, fmt.Sprint(i, " ", pad), false)
		if i%100 == 0 { // a long line's end bears the time of its beginning
			s.entry(i/2, record.Stderr, "late", false)
		}
	}
	for _, since := range []int{0, 1, 500, 1499, 1500, 1501, 2222, 2999, 3000} {
		got := s.read(Request{Tail: -1, Since: at(since)})
		want := 0
		for i := since; i < 3000; i++ {
			want++
		}
		for i := 0; i < 3000; i += 100 {
			if i/2 >= since {
				want++
			}
		}
		if len(got) != want || want > 0 && since%100 != 0 && !strings.HasPrefix(got[0], fmt.Sprintf("stdout:%d ", since)) {
			t.Errorf("since %d: %d records, want %d", since, len(got), want)
		}
	}
}

// countingFile counts what is read of it.
type countingFile struct {
	io.ReaderAt
	read int64
}

func (f *countingFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.ReaderAt.ReadAt(b, off)
	f.read += int64(n)
	return n, err
}

func TestTailAndSinceReadLittleOfALargeSegment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.log")
	const size = int64(5) << 30
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil { // a hole: no records
		t.Fatal(err)
	}
	end := "\n" + t0.Format(time.RFC3339Nano) + " stdout F last\n"
	if _, err := f.WriteAt([]byte(end), size-int64(len(end))); err != nil {
		t.Fatal(err)
	}
	c := &countingFile{ReaderAt: f}
	from, err := record.LastLines(c, size, 1, make([]byte, blockSize), nil)
	if err != nil || from != size-int64(len(end))+1 || c.read > blockSize {
		t.Fatalf("the last line begins at %d, %v; %d bytes were read", from, err, c.read)
	}
	var p record.Parser
	c.read = 0
	from = p.Seek(c, 0, size, t0.UnixNano(), make([]byte, blockSize))
	if from > size-int64(len(end))+1 || c.read > 40*blockSize {
		t.Fatalf("since begins at %d of %d; %d bytes were read", from, size, c.read)
	}
}

// TestAPackedSegmentIsNotUnpackedFromItsStart has one whose first stripe cannot
// be unpacked: who reads its end, or from a later time on, does not notice.
func TestAPackedSegmentIsNotUnpackedFromItsStart(t *testing.T) {
	for _, format := range []record.Format{record.CRI, record.Syslog, record.Raw} {
		t.Run(format.String(), func(t *testing.T) {
			s := newSpool(t, format)
			pad := strings.Repeat("x", 10_000)
			const last = 1300 // 13 MB: several stripes
			line := func(i int) string { return fmt.Sprint(i, " ", pad) }
			for i := range last + 1 {
				s.entry(i, record.Stdout, line(i), false)
			}
			s.seal()
			s.advance(spool.Packed)
			seg, err := s.List()
			if err != nil || len(seg) != 1 {
				t.Fatal(seg, err)
			}
			m, err := s.Look(seg[0])
			if err != nil || len(m.Index) < 3 {
				t.Fatalf("%v stripes, %v", len(m.Index), err)
			}
			var want []string
			for i := last - 9; i <= last; i++ {
				want = append(want, "stdout:"+line(i)+"\n")
			}
			s.want(Request{Tail: 10}, want...)
			f, err := os.OpenFile(filepath.Join(s.path, seg[0].Path()), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 1000), m.Index[0]); err != nil {
				t.Fatal(err)
			}
			s.want(Request{Tail: 10}, want...)
			if format != record.Raw {
				s.want(Request{Tail: -1, Since: at(last - 9).Truncate(time.Microsecond)}, want...)
			}
			if s.log.Len() > 0 {
				t.Errorf("it complains: %s", s.log.String())
			}
		})
	}
}

func TestLinesAreWhatDockerSent(t *testing.T) {
	s := newSpool(t, record.CRI)
	long := strings.Repeat("y", 16384)
	s.entry(0, record.Stdout, "", false)
	s.entry(0, record.Stderr, long, true)
	s.entry(1, record.Stdout, "between\r", false)
	s.seal() // chunks straddle segments
	s.advance(spool.Packed)
	s.entry(0, record.Stderr, long, true)
	s.entry(0, record.Stderr, "", false)
	s.entry(2, record.Stdout, "\x00\xff no end", true)
	want := []string{"stdout:\n", "stderr:" + long, "stdout:between\r\n", "stderr:" + long, "stderr:\n", "stdout:\x00\xff no end"}
	s.want(all, want...)
	s.want(Request{Tail: 2}, want[4:]...) // pieces count, as in json-file
}

func TestRawIsStdoutAtItsSegmentsTime(t *testing.T) {
	s := newSpool(t, record.Raw)
	long := strings.Repeat("y", 16384)
	s.entry(0, record.Stdout, long, true)
	s.entry(0, record.Stdout, long, true)
	s.entry(0, record.Stdout, "z", false)
	s.entry(5, record.Stderr, long, false)
	s.seal()
	s.entry(10, record.Stdout, "no end", true)
	s.want(all, "stdout:"+long, "stdout:"+long, "stdout:z\n", "stdout:"+long+"\n", "stdout:no end")
	s.want(Request{Tail: 1}, "stdout:no end")
	s.want(Request{Tail: 2}, "stdout:"+long+"\n", "stdout:no end")
	s.want(Request{Tail: -1, Since: at(0)}, "stdout:"+long, "stdout:"+long, "stdout:z\n", "stdout:"+long+"\n", "stdout:no end")
	s.want(Request{Tail: -1, Since: at(6)}, "stdout:no end")
	s.want(Request{Tail: -1, Until: at(6)}, "stdout:"+long, "stdout:"+long, "stdout:z\n", "stdout:"+long+"\n")
	for _, req := range []Request{{Tail: -1, Since: at(1)}, {Tail: -1, Until: at(1)}, {Tail: -1, Until: at(20), Follow: true}} {
		req.ID = web.ID
		var refused *RefusedError
		if g, err := s.Open(req); !errors.As(err, &refused) || !strings.Contains(err.Error(), "format=cri") {
			t.Errorf("%+v: %v, %v", req, g, err)
		}
	}
}

func TestAContainersLivesAreReadInOrderWhateverItWasCalled(t *testing.T) {
	s := newSpool(t, record.CRI)
	life := func(name string, format record.Format, first, last int) {
		t.Helper()
		s.stream.Name, s.stream.Format = name, format.String()
		s.w = s.Writer(s.stream)
		s.lines(first, last)
		if _, err := s.w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	other := s.stream // its id begins alike
	other.ID = web.ID[:12] + strings.Repeat("0", 52)
	other.Name = "stranger"
	w := s.Writer(other)
	defer w.Close()
	mine := s.w
	s.w = w
	s.lines(1000, 1001)
	s.w = mine
	if _, err := s.w.Close(); err != nil {
		t.Fatal(err)
	}
	life("web", record.CRI, 0, 3)
	life("shop", record.Syslog, 4, 7)
	life("web", record.Raw, 8, 9)
	s.advance(spool.Packed)
	life("shop", record.CRI, 10, 11)
	s.want(all, numbers(0, 11)...)
	s.want(Request{Tail: 5}, numbers(7, 11)...)
}

func TestWhatWasPrunedIsSaidWhereItWasAskedFor(t *testing.T) {
	s := newSpool(t, record.CRI)
	for i := range 3 {
		s.lines(10*i, 10*i+9)
		s.seal()
	}
	s.advance(spool.Uploaded)
	s.lines(30, 39)
	s.prune()
	mark := "stderr:logfast: lines before 2026-11-23T19:03:11Z are no longer on this host; what was uploaded is in the store\n"
	s.want(all, append([]string{mark}, numbers(10, 39)...)...)
	s.want(Request{Tail: 31}, append([]string{mark}, numbers(10, 39)...)...)
	s.want(Request{Tail: 30}, numbers(10, 39)...)
	s.want(Request{Tail: 3}, numbers(37, 39)...)
	s.want(Request{Tail: -1, Since: at(5)}, append([]string{mark}, numbers(10, 39)...)...)
	s.want(Request{Tail: -1, Since: at(10)}, numbers(10, 39)...)
	s.want(Request{Tail: -1, Until: at(5)}, mark)
	s.want(Request{Tail: -1, Until: at(12)}, append([]string{mark}, numbers(10, 12)...)...)
	s.prune()
	s.prune()
	if got := s.read(all); len(got) != 11 || !strings.Contains(got[0], "before 2026-11-23T19:03:31Z") {
		t.Errorf("%q", got)
	}
}

func TestForeignAndDamagedFilesAreLeftOutAndSaidOnce(t *testing.T) {
	s := newSpool(t, record.CRI)
	for i := range 4 {
		s.lines(10*i, 10*i+9)
		s.seal()
	}
	s.advance(spool.Packed)
	s.lines(40, 49)
	in := func(name string) string { return filepath.Join(s.path, dir, name) }
	gz, err := filepath.Glob(in("web.log-*.gz"))
	if err != nil || len(gz) != 4 {
		t.Fatal(gz, err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	for path, text := range map[string]string{
		secret:                "2026-11-23T19:03:01.000000000Z stdout F secret\n",
		in("notes.txt"):       "hello\n",
		in("other.log"):       "2026-11-23T19:03:01.000000000Z stdout F foreign\n",
		in("web.log.1"):       "rotated by somebody\n",
		gz[1]:                 "not gzip",
		in(".hidden.log"):     "x\n",
		in("web.log-nothing"): "x\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	packed, err := os.ReadFile(gz[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(gz[2], packed[:len(packed)-5], 0o600); err != nil { // its text is whole, its sum is not
		t.Fatal(err)
	}
	if err := os.Symlink(secret, in("web.log-20261123T190301.123456Z-000001-manual")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(s.path, dir, "."+strings.TrimSuffix(filepath.Base(gz[3]), ".gz")+".json")); err != nil {
		t.Fatal(err)
	}
	want := append(numbers(0, 9), numbers(20, 49)...)
	s.want(all, want...)
	s.want(all, want...)
	s.want(Request{Tail: 12}, numbers(38, 49)...)
	if n := strings.Count(s.log.String(), "cannot be read"); n != 2 {
		t.Errorf("%d complaints:\n%s", n, s.log.String())
	}
	// The active segment's place, taken by a link.
	if err := os.Rename(in("web.log"), in("moved")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, in("web.log")); err != nil {
		t.Fatal(err)
	}
	s.want(all, want...) // and nothing of what it leads to
}

func TestLinesThatAreNoRecordsAreLeftOut(t *testing.T) {
	s := newSpool(t, record.CRI)
	s.lines(0, 1)
	s.seal()
	segs, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.path, segs[0].Path())
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut := bytes.IndexByte(text, '\n') + 1
	damaged := string(text[:cut]) + "\x00garbage\n" + strings.Repeat("g", 3*blockSize) + "\n" + string(text[cut:])
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(all, numbers(0, 1)...)
	if n := strings.Count(s.log.String(), "cannot be read"); n != 1 {
		t.Errorf("%d complaints:\n%s", n, s.log.String())
	}
}

func TestAnUnsealedFileWithoutAWriterIsRead(t *testing.T) {
	s := newSpool(t, record.CRI)
	s.lines(0, 9)
	s.seal()
	s.lines(10, 19)
	// Its seal fails: the name is taken by a directory.
	stem := "web.log-" + at(10).Format(spool.Stamp) + "-000002-stop"
	if err := os.Mkdir(filepath.Join(s.path, dir, stem), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.w.Close(); err == nil {
		t.Fatal("sealed onto a directory")
	}
	s.want(all, numbers(0, 19)...)
	s.want(Request{Tail: 11}, numbers(9, 19)...)
}

func TestReadingChangesNothing(t *testing.T) {
	s := history(t, record.CRI)
	if _, err := s.w.Close(); err != nil {
		t.Fatal(err)
	}
	tree := func() (all []string) {
		if err := filepath.WalkDir(s.path, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			fi, err := d.Info()
			all = append(all, fmt.Sprint(path, fi.Size(), fi.ModTime()))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := tree()
	s.want(all, numbers(0, 99)...)
	s.want(Request{Tail: 50, Since: at(60)}, numbers(60, 99)...)
	if d := cmp.Diff(before, tree()); d != "" {
		t.Fatal(d)
	}
}

// TestRead_AnUnknownTextWithALongFirstLine: the format of a text without a
// description is that of its first line that is whole, not of a long line's end.
func TestRead_AnUnknownTextWithALongFirstLine(t *testing.T) {
	s := newSpool(t, record.CRI)
	s.entry(0, record.Stdout, strings.Repeat("x", 600<<10), false)
	s.lines(1, 9)
	s.seal()
	s.entry(10, record.Stdout, "10", false)
	for _, description := range glob(t, s.path, "*/.*.json") {
		if err := os.Remove(description); err != nil {
			t.Fatal(err)
		}
	}
	s.want(all, numbers(1, 10)...)
}

func glob(t *testing.T, parts ...string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(parts...))
	if err != nil || len(found) == 0 {
		t.Fatalf("%v, %v", found, err)
	}
	return found
}
