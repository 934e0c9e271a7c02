package cli

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage/incident"
)

// childMemory names the file to which a child process writes its status, with its
// highest use of memory, before it ends.
const childMemory = "TEST_CHILD_MEMORY"

func child() int {
	status := Run(os.Args[1:], os.Stdout, os.Stderr)
	memory, err := os.ReadFile("/proc/self/status")
	if err == nil {
		err = os.WriteFile(os.Getenv(childMemory), memory, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	return status
}

// counter counts what is written, and wakes the goroutine that waits for it.
type counter struct {
	mu   sync.Mutex
	n    int64
	last []byte
	more chan struct{}
}

func (c *counter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += int64(len(p))
	c.last = append(c.last[:0], p[max(0, len(p)-200):]...)
	select {
	case c.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (c *counter) has() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// maxMemory is what a command may have taken at most, in KiB: the program itself
// takes about 40 MiB.
const maxMemory = 160 << 10

// measured is a command as a process of its own.
type measured struct {
	*exec.Cmd
	t      *testing.T
	out    *counter
	stderr bytes.Buffer
	memory string
}

func command(t *testing.T, args ...string) *measured {
	t.Helper()
	m := &measured{Cmd: exec.Command(os.Args[0], args...), t: t, out: &counter{more: make(chan struct{}, 1)}, memory: filepath.Join(t.TempDir(), "memory")}
	m.Env = append(os.Environ(), childMemory+"="+m.memory)
	m.Stdout, m.Stderr = m.out, &m.stderr
	return m
}

var highest = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// check says what the process took, once it has ended.
func (m *measured) check(err error) {
	m.t.Helper()
	status, readErr := os.ReadFile(m.memory)
	found := highest.FindSubmatch(status)
	if readErr != nil || found == nil {
		m.t.Fatalf("%q: %v, %v, %s", m.Args[1:], err, readErr, m.stderr.String())
	}
	took, err := strconv.Atoi(string(found[1]))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Logf("%q: %d MiB, printed %d bytes", m.Args[1:], took>>10, m.out.n)
	if took > maxMemory {
		m.t.Errorf("%q took %d MiB", m.Args[1:], took>>10)
	}
}

// bomb is a gzip of a text again and again.
func bomb(t *testing.T, text string, times int) []byte {
	t.Helper()
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	block := []byte(strings.Repeat(text, max(1, (1<<20)/len(text))))
	for n := 0; n < times*len(text); n += len(block) {
		if _, err := z.Write(block[:min(len(block), times*len(text)-n)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// bombs is a store with one container a bomb.
func bombs(t *testing.T, bombs map[string][]byte) (put func(name string, data []byte)) {
	t.Helper()
	dir := ramDir(t)
	objects, err := store.OpenDir(dir, store.DirOptions{UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { objects.Close() })
	t.Setenv("LOGFAST_STORE", "file://"+dir)
	put = func(key string, data []byte) {
		t.Helper()
		attrs := store.Attributes{Size: int64(len(data)), SHA256: sha256.Sum256(data), ContentType: "application/gzip"}
		if err := objects.Put(t.Context(), key, bytes.NewReader(data), attrs); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range bombs {
		put(bombKey(name), data)
	}
	return put
}

func bombKey(name string) string {
	return "logs/dt=2026-03-23/host=h/app=" + name + "/20260323T190301.000000Z-000001-" + fmt.Sprintf("%x", sha256.Sum256([]byte(name)))[:12] + "-size.log.gz"
}

// TestReading_MemoryIsFlat reads small objects of very long texts by the program
// itself, and looks what it took.
func TestReading_MemoryIsFlat(t *testing.T) {
	const size = 64 << 20
	empty := "2026-03-23T19:03:05.000000000Z stdout P \n"
	short := "2026-03-23T19:03:05.000000000Z stdout F \n"
	part := "2026-03-23T19:03:05.000000000Z stderr P 0123456789\n"
	bombs(t, map[string][]byte{
		"empty":   bomb(t, empty, size/len(empty)),
		"short":   bomb(t, short, size/len(short)),
		"part":    bomb(t, part, size/len(part)),
		"endless": bomb(t, "x", size),
		"newline": bomb(t, "\n", size/8),
	})
	whole := map[string]int{"empty": size / len(empty) * len(empty), "short": size / len(short) * len(short), "part": size / len(part) * len(part), "newline": size / 8}
	for _, tt := range []struct {
		app  string
		args []string
	}{
		{"empty", []string{"cat"}},
		{"empty", []string{"cat", "--output", "text"}},
		{"empty", []string{"grep", "-c", "nothing"}},
		{"empty", []string{"tail"}},
		{"part", []string{"cat", "--json"}},
		{"part", []string{"grep", "-C", "3", "nothing"}},
		{"part", []string{"tail", "--output", "text", "-n", "5000"}},
		{"endless", []string{"cat"}},
		{"endless", []string{"tail", "-n", "1000"}},
		{"endless", []string{"grep", "-C", "100", "xxx"}},
		{"newline", []string{"cat"}},
		{"newline", []string{"tail", "-n", "1000000000"}},
		{"short", []string{"cat"}},
		{"short", []string{"grep", "-B", "10000000", "-A", "10000000", "nothing"}},
	} {
		m := command(t, append(tt.args, "--no-spool", "--app", tt.app)...)
		m.check(m.Run())
		want, known := whole[tt.app]
		if tt.args[0] == "cat" && len(tt.args) == 1 && known && m.out.n != int64(want) {
			t.Errorf("%s: %d bytes are printed, not %d", tt.app, m.out.n, want)
		}
		if tt.app == "endless" && tt.args[0] == "cat" && (m.out.n < size || m.out.n > size+2*size>>20) {
			t.Errorf("%d bytes are printed of a line of %d", m.out.n, size)
		}
	}
}

// TestReading_AFollowerIsFlat follows a store in which an object arrives that is
// small and has a long text.
func TestReading_AFollowerIsFlat(t *testing.T) {
	line := "2026-03-23T19:03:05.000000000Z stdout F 0123456789\n"
	put := bombs(t, map[string][]byte{"first": bomb(t, line, 1)})
	m := command(t, "tail", "-f", "--no-spool")
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	wait := func(n int64) {
		t.Helper()
		for m.out.has() < n {
			select {
			case <-m.out.more:
			case <-time.After(time.Minute):
				_ = m.Process.Kill()
				t.Fatalf("only %d bytes of %d came: %s", m.out.has(), n, m.stderr.String())
			}
		}
	}
	wait(int64(len(line)))
	today := time.Now().UTC()
	key := strings.Replace(bombKey("second"), "2026-03-23", today.Format("2006-01-02"), 1)
	key = strings.Replace(key, "20260323T190301.000000Z", today.Format("20060102T150405.000000Z"), 1)
	const times = 2_000_000
	put(key, bomb(t, line, times))
	wait(int64(len(line)) * (times + 1))
	if err := m.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	m.check(m.Wait())
}

// TestReading_Incidents lists and shows incidents of which some are as large as
// they may be, and some cannot be.
func TestReading_Incidents(t *testing.T) {
	put := bombs(t, nil)
	at := time.Date(2026, 3, 23, 19, 3, 5, 0, time.UTC)
	key := func(id string) string { return "incidents/dt=2026-03-23/host=h/" + id + ".json" }
	valid := func(n int) incident.Event {
		id := fmt.Sprintf("20260323T190305.000000Z-%08x", n)
		return incident.Event{SpecVersion: "1.0", ID: id, Source: "/logfast/h", Type: incident.TypeShipped, Subject: "shop", Time: at, DataContentType: "application/json", Data: incident.Incident{
			ID: id, Host: "h", Scope: "host", Closed: incident.ClosedQuiet, First: at, Last: at, Errors: 1, ByStatus: map[string]int64{"502": 1},
			Fingerprints: []incident.Fingerprint{{ID: "00c1a5e0b7d4f312", App: "shop", Method: "GET", Route: "/x", Status: 502, Errors: 1, First: at, Last: at}},
		}}
	}
	encode := func(e incident.Event) []byte {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	e := valid(0)
	labels := map[string]string{}
	for l := range 1000 {
		labels[fmt.Sprintf("label-%d", l)] = "0123456789012345678901234"
	}
	for c := range 190 {
		e.Data.Containers = append(e.Data.Containers, incident.Container{ID: fmt.Sprintf("%012x", c), Name: "c", Labels: labels})
	}
	large := encode(e)
	if len(large) < incident.MaxEvent*9/10 || len(large) > incident.MaxEvent {
		t.Fatalf("%d bytes", len(large))
	}
	for n := range 12 {
		put(key(valid(n).ID), bytes.ReplaceAll(large, []byte(e.ID), []byte(valid(n).ID)))
	}
	object := incident.Object{Key: "logs/a.log.gz", First: at, Last: at, Lines: 5, Bytes: 50, Size: 20}
	e = valid(0x100)
	e.Data.Objects, e.Data.Samples = []incident.Object{object}, []incident.Sample{{Time: at, Key: object.Key, Line: 9223372036854775802}}
	put(key(e.ID), encode(e))
	put(key(valid(0x101).ID), []byte(`{"data":{"samples":[`+strings.Repeat("{},", 2<<20)+`{}]}}`))
	put(key(valid(0x102).ID), bytes.Repeat([]byte(" "), incident.MaxEvent+1))
	put(key(valid(0x103).ID), encode(valid(0x104))) // another's
	m := command(t, "incidents", "--no-spool")
	m.check(m.Run())
	if m.ProcessState.ExitCode() != 1 || !strings.Contains(string(m.out.last), " 12 ") {
		t.Errorf("status %d, %q", m.ProcessState.ExitCode(), m.out.last)
	}
	for _, want := range []string{"00000100.json: not a valid incident: data.samples[0].line is 9223372036854775802: not between 1 and 6", "00000101.json", "00000102.json", "00000103.json"} {
		if !strings.Contains(m.stderr.String(), want) {
			t.Errorf("%q without %q", m.stderr.String(), want)
		}
	}
	m = command(t, "incident", "--no-spool", "20260323T190305.000000Z-00000100")
	m.check(m.Run())
	if m.ProcessState.ExitCode() != 1 || m.out.n != 0 || !strings.Contains(m.stderr.String(), "data.samples[0].line is 9223372036854775802") {
		t.Errorf("status %d, %q, %q", m.ProcessState.ExitCode(), m.out.last, m.stderr.String())
	}
	m = command(t, "incident", "--no-spool", "20260323T190305.000000Z-00000003")
	m.check(m.Run())
	if m.ProcessState.ExitCode() != 0 || m.out.n == 0 {
		t.Errorf("status %d, %q", m.ProcessState.ExitCode(), m.stderr.String())
	}
}
