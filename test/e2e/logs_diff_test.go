//go:build e2e

package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/internal/await"
)

// message is what Docker shows of one record.
type message struct {
	stream byte // 1: stdout, 2: stderr
	at     time.Time
	text   string
}

// messages returns all of a container's records, in order, as the engine's API
// frames them: a header with the stream and the length, then the time and the text.
func (c *container) messages() (all []message) {
	c.Helper()
	r, done := ask(c.T, "/containers/"+c.id+"/logs", url.Values{"stdout": {"1"}, "stderr": {"1"}, "timestamps": {"1"}})
	defer done()
	for {
		var header [8]byte
		if _, err := io.ReadFull(r.Body, header[:]); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			c.Fatal(err)
		}
		data := make([]byte, binary.BigEndian.Uint32(header[4:]))
		if _, err := io.ReadFull(r.Body, data); err != nil {
			c.Fatal(err)
		}
		stamp, text, _ := strings.Cut(string(data), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			c.Fatalf("%q: %v", data, err)
		}
		all = append(all, message{header[0], at, text})
	}
}

// same reports whether two containers' records are, but for their times.
func same(a, b []message) bool {
	return slices.EqualFunc(a, b, func(a, b message) bool { return a.stream == b.stream && a.text == b.text })
}

// asText is a random line of what json-file keeps as it is: it replaces bytes
// that are not UTF-8.
func asText(rnd *rand.Rand, size int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789 <>&\"\\'/\x00\x01\x1b[\t\r\x7f{}"
	b := make([]byte, size)
	for i := range b {
		b[i] = alphabet[rnd.IntN(len(alphabet))]
	}
	return string(b)
}

// randomProgram writes lines of 0 to 40 KB to both streams, some in pieces,
// some without a newline at the end. Where it changes the stream it waits, so
// that both engines' copies of it have one order.
func randomProgram(rnd *rand.Rand) (steps []step) {
	sizes := []int{0, 1, 100, 4096, 16383, 16384, 16385, 32768, 40000}
	stream := 0
	for range 24 {
		s := step{}
		if rnd.IntN(3) == 0 {
			stream = 1 - stream
			s.Pause = 60 * time.Millisecond
		}
		size := sizes[rnd.IntN(len(sizes))]
		if rnd.IntN(2) == 0 {
			size = rnd.IntN(200)
		}
		text := asText(rnd, size) + "\n"
		if rnd.IntN(6) == 0 {
			text += asText(rnd, rnd.IntN(30)) + "\n\n"
		}
		if stream == 0 {
			s.Stdout = []byte(text)
		} else {
			s.Stderr = []byte(text)
		}
		steps = append(steps, s)
	}
	return append(steps, step{Pause: 60 * time.Millisecond}, out("the last line\nno newline at the end"), step{Await: "end"})
}

// stampShape is a time as docker logs -t prints it.
var stampShape = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z `)

// invocation is a random docker logs; from and to are records that Since and
// Until name by their times.
type invocation struct {
	args     []string
	from, to int // -1: none
}

func randomInvocation(rnd *rand.Rand, records int) (i invocation) {
	i.from, i.to = -1, -1
	if rnd.IntN(2) == 0 {
		tails := []string{"0", "1", "2", "all", "-1", fmt.Sprint(rnd.IntN(records)), fmt.Sprint(2 * records)}
		i.args = append(i.args, "--tail", tails[rnd.IntN(len(tails))])
	}
	for _, flag := range []string{"-t", "--details"} {
		if rnd.IntN(3) == 0 {
			i.args = append(i.args, flag)
		}
	}
	if rnd.IntN(2) == 0 {
		i.from = rnd.IntN(records)
	} else if rnd.IntN(4) == 0 {
		i.args = append(i.args, "--since", "10m")
	}
	if rnd.IntN(2) == 0 {
		i.to = rnd.IntN(records)
	} else if rnd.IntN(6) == 0 {
		i.args = append(i.args, "--until", "10m")
	}
	return i
}

// of names the records of one container.
func (i invocation) of(all []message) []string {
	args := slices.Clone(i.args)
	if i.from >= 0 {
		args = append(args, "--since", all[i.from].at.Format(time.RFC3339Nano))
	}
	if i.to >= 0 {
		args = append(args, "--until", all[i.to].at.Format(time.RFC3339Nano))
	}
	return args
}

// TestDockerLogsAreJSONFiles runs one random program under both drivers, and
// compares what random invocations of docker logs print, byte for byte: while
// it runs, after three lives, and followed.
func TestDockerLogsAreJSONFiles(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	h := enable(t)
	// The same writes can come to Docker's two copiers in another order. That
	// is another input, not another output: it is tried again.
	for try := range 4 {
		if compareDrivers(h, rnd, try) {
			return
		}
	}
	t.Error("the engine never copied the streams in one order")
}

func compareDrivers(h *host, rnd *rand.Rand, try int) bool {
	steps := randomProgram(rnd)
	format := []string{"cri", "syslog"}[rnd.IntN(2)]
	ours := h.run(fmt.Sprint("diff-ours", try), steps, "max-size=64KiB", "format="+format)
	theirs := &container{host: h, app: fmt.Sprint(name, "-diff-theirs", try), script: ours.script}
	theirs.id = docker(h.T, "run", "-d", "--name", theirs.app, "--network", "none", "--log-driver", "json-file", "--log-opt", "max-size=100m", "--log-opt", "max-file=1", "-v", ours.script+":/script:ro", image)
	h.removeLater(theirs.id)

	lastLine := func(c *container) func() bool {
		return func() bool {
			stdout, _ := c.logs("--tail", "1")
			return stdout == "the last line\n"
		}
	}
	for _, c := range []*container{ours, theirs} {
		await.Until(h.T, c.app+" has printed everything", lastLine(c))
	}
	if !compareLogs(h, rnd, ours, theirs, 8) {
		return false
	}
	ours.allow("end")
	for _, c := range []*container{ours, theirs} {
		for range 2 {
			c.wait()
			docker(h.T, "start", c.id)
		}
		c.wait()
	}
	return compareLogs(h, rnd, ours, theirs, 14)
}

// alike reports whether record i divides both containers' records alike by
// time. Two lines of one write can be one microsecond for syslog, or even one
// nanosecond, in one run and not in the other.
func alike(a, b []message, i int) bool {
	if i < 0 {
		return true
	}
	for j := range a {
		if a[j].at.Compare(a[i].at) != b[j].at.Compare(b[i].at) {
			return false
		}
	}
	return true
}

// compareLogs returns false where the two have not the same records in order,
// and fails where these differ for any other reason.
func compareLogs(h *host, rnd *rand.Rand, ours, theirs *container, n int) bool {
	h.Helper()
	a, b := ours.messages(), theirs.messages()
	if !same(a, b) {
		for stream := byte(1); stream <= 2; stream++ {
			of := func(all []message) []message {
				return slices.DeleteFunc(slices.Clone(all), func(m message) bool { return m.stream != stream })
			}
			if !same(of(a), of(b)) {
				h.Fatalf("stream %d: %d records, json-file has %d", stream, len(of(a)), len(of(b)))
			}
		}
		return false
	}
	for range n {
		i := randomInvocation(rnd, len(a))
		for !alike(a, b, i.from) || !alike(a, b, i.to) {
			i = randomInvocation(rnd, len(a))
		}
		if rnd.IntN(4) == 0 && docker(h.T, "inspect", "-f", "{{.State.Running}}", ours.id) == "false" {
			i.args = append(i.args, "-f")
		}
		out, errs := ours.logs(i.of(a)...)
		wantOut, wantErrs := theirs.logs(i.of(b)...)
		for _, pair := range [][2]string{{out, wantOut}, {errs, wantErrs}} {
			if got, want := stampShape.ReplaceAllString(pair[0], "TIME "), stampShape.ReplaceAllString(pair[1], "TIME "); got != want {
				h.Errorf("docker logs %v: %d bytes, json-file has %d; %.200q …, %.200q …", i.of(a), len(got), len(want), got, want)
			}
		}
	}
	return true
}
