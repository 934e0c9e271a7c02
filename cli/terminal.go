package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// terminal returns the size of the terminal that w is, ok false where it is none.
func terminal(w io.Writer) (columns, rows int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile {
		return 0, 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	if size.Col == 0 || size.Row == 0 { // one that does not know, such as a serial line
		return 80, 24, true
	}
	return int(size.Col), int(size.Row), true
}

// progress is a bar on a terminal, and nothing elsewhere.
type progress struct {
	w       io.Writer
	columns int // 0: no terminal
}

func newProgress(w io.Writer) *progress {
	columns, _, _ := terminal(w)
	return &progress{w, columns}
}

// draw shows how many of all are done, and a word about it.
func (p *progress) draw(done, all int, about string) {
	if p.columns == 0 {
		return
	}
	const width = 20
	filled := width
	if all > 0 {
		filled = width * done / all
	}
	line := fmt.Sprintf("[%s%s] %d of %d %s", strings.Repeat("#", filled), strings.Repeat(".", width-filled), done, all,
		about)
	fmt.Fprint(p.w, "\r\x1b[K"+cut(line, p.columns-1)) //nolint:errcheck // a terminal that has gone
}

// clear removes the bar.
func (p *progress) clear() {
	if p.columns > 0 {
		fmt.Fprint(p.w, "\r\x1b[K") //nolint:errcheck // as above
	}
}

// cut ends a line where the terminal does.
func cut(line string, columns int) string {
	runes := []rune(line)
	if columns < 1 || len(runes) <= columns {
		return line
	}
	return string(runes[:columns-1]) + "…"
}

// size writes bytes for people.
func size(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }

// span writes a time for people: two units at most.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}
