package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/docker/go-units"

	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/internal/show"
)

// screen is where a command's results and its messages go. Results are written
// soon, not at once; on a terminal a last line of stderr shows how far it is.
type screen struct {
	stderr   io.Writer
	terminal bool // stderr is one
	paper    bool // stdout is one
	counters *archive.Progress
	stop     chan struct{}
	stopped  sync.WaitGroup

	mu    sync.Mutex
	out   *bufio.Writer // owned by mu
	err   error         // of out, owned by mu
	drawn bool          // the last line shows progress; owned by mu
}

// tick is how often results are written out, and progress is drawn.
const tick = 100 * time.Millisecond

func newScreen(stdout, stderr io.Writer, counters *archive.Progress) *screen {
	s := &screen{
		stderr: stderr, terminal: isTerminal(stderr), paper: isTerminal(stdout), counters: counters,
		stop: make(chan struct{}), out: bufio.NewWriterSize(stdout, 64<<10),
	}
	s.stopped.Go(func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for n := 1; ; n++ {
			select {
			case <-s.stop:
				return
			case <-ticker.C:
				s.mu.Lock()
				if s.out.Buffered() > 0 {
					s.flush()
				} else if s.terminal && n > 5 {
					s.draw()
				}
				s.mu.Unlock()
			}
		}
	})
	return s
}

func isTerminal(w io.Writer) bool {
	_, _, ok := terminal(w)
	return ok
}

// Write takes results.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	if s.out.Available() < len(p) {
		s.clear()
	}
	n, err := s.out.Write(p)
	s.err = err
	return n, err
}

// say writes a message; of its arguments, what others wrote is escaped.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintf(s.stderr, "logfast: "+format+"\n", show.Args(args)...) //nolint:errcheck // nobody to tell
}

// close writes what is left out.
func (s *screen) close() error {
	close(s.stop)
	s.stopped.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.flush()
	return s.err
}

// The caller of the following holds mu.

func (s *screen) flush() {
	s.clear()
	if err := s.out.Flush(); s.err == nil {
		s.err = err
	}
}

func (s *screen) draw() {
	p := s.counters
	text := fmt.Sprintf("%d keys listed, %d objects asked", p.Listed.Load(), p.Asked.Load())
	if n := p.Segments.Load(); n > 0 {
		text = fmt.Sprintf("%d of %d segments, %s of text", p.Read.Load(), n, humanBytes(p.Bytes.Load()))
	}
	fmt.Fprint(s.stderr, "\r\x1b[K", text) //nolint:errcheck // nobody to tell
	s.drawn = true
}

func (s *screen) clear() {
	if s.drawn {
		fmt.Fprint(s.stderr, "\r\x1b[K") //nolint:errcheck // nobody to tell
		s.drawn = false
	}
}

// table is columns of text, which it escapes; numbers stand at the right of theirs.
type table struct {
	heads  []string // one that begins with ">" is of numbers
	rows   [][]string
	indent string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write writes the table, with the heads above.
func (t *table) write(w io.Writer) error {
	right := make([]bool, len(t.heads))
	widths := make([]int, len(t.heads))
	heads := make([]string, len(t.heads))
	for i, h := range t.heads {
		heads[i], right[i] = strings.CutPrefix(h, ">")
	}
	rows := append([][]string{heads}, t.rows...)
	for _, row := range rows {
		for i, cell := range row {
			cell = show.Field(cell)
			row[i] = cell
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		b.Reset()
		b.WriteString(t.indent)
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case right[i]:
				b.WriteString(pad + cell)
			case i < len(row)-1:
				b.WriteString(cell + pad)
			default:
				b.WriteString(cell)
			}
			if i < len(row)-1 {
				b.WriteString("  ")
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func humanBytes(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }

// count writes a count; nothing that is known is "-".
func count(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// orDash stands for a name that is not known.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// when writes a time to the second in a zone.
func when(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return "-"
	}
	return at.In(zone).Format("2006-01-02 15:04:05")
}
