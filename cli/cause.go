package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/cause"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/internal/show"
)

type causeCommand struct {
	File string `arg:"" optional:"" default:"-" help:"A log file, packed or not; - is standard input."`
	JSON bool   `name:"json" help:"One JSON object a line, without counts."`
}

// Help is shown below the usage.
func (causeCommand) Help() string {
	return `Shows each cause of a failure that logfast finds in a log: the exception of a traceback, the
error field of a JSON line, the error line of a web server, the death of a process. Record
heads (cri, syslog) are cut off, and secrets are removed. Nothing is changed.

Examples:
  docker logs web 2>&1 | logfast cause
  logfast cause /var/log/logfast/web-1a2b3c4d5e6f/web.log
  logfast cause --json app.log | jq -r .type | sort | uniq -c

What is found: docs/causes.md`
}

// shownCause is a cause with its place, for --json.
type shownCause struct {
	Line int64 `json:"line"` // of the file, counted from 1
	cause.Cause
}

// Run executes the command.
func (c *causeCommand) Run(stdin io.Reader, stdout io.Writer) error {
	in, err := openLog(c.File, stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	out := bufio.NewWriter(stdout)
	causes := 0
	s := cause.NewScanner(cause.Config{Found: func(f *cause.Find) {
		causes++
		if c.JSON {
			_ = writeJSONLine(out, shownCause{f.Line, f.Cause()}) // the writer keeps its error for Flush
			return
		}
		printCause(out, f)
	}})
	n, err := scanCauses(in, s)
	if err != nil {
		return errors.Join(fmt.Errorf("read %s: %w", c.File, err), out.Flush())
	}
	if !c.JSON {
		_, _ = fmt.Fprintf(out, "%d lines, causes: %d\n", n, causes)
	}
	return out.Flush()
}

// scanCauses gives a file's lines to a scanner, joined from their records, and returns how
// many there are.
func scanCauses(in io.Reader, s *cause.Scanner) (n int64, err error) {
	var joiners [2]detect.Joiner
	var begun [2]cause.Line // the first record of the line that is being joined
	lines := record.NewLines(in, make([]byte, readSize), 0)
	for lines.Next() {
		if !lines.Ends && lines.Err() != nil {
			break
		}
		if !lines.Begins {
			continue // what is beyond MaxLine is not looked at
		}
		n++
		line := cause.Line{
			Text: lines.Text[:min(len(lines.Text), detect.MaxLine)], Number: lines.Number, Offset: lines.Offset,
			End: lines.Offset + int64(len(lines.Line())),
		}
		r, ok := splitRecord(line.Text)
		if !ok {
			s.Add(line)
			continue
		}
		first := &begun[r.Stream]
		if first.Number == 0 {
			*first = cause.Line{Stream: r.Stream, Number: line.Number, Offset: line.Offset}
		}
		first.End = line.End
		if text, whole := joiners[r.Stream].Add(r.Text, r.More); whole {
			first.Text = text
			s.Add(*first)
			*first = cause.Line{}
		}
	}
	for i := range joiners {
		if rest := joiners[i].Rest(); rest != nil {
			begun[i].Text = rest
			s.Add(begun[i])
		}
	}
	s.Close()
	return n, lines.Err()
}

// printCause prints a cause for people: one line for what happened, one for the frame, one
// for the place in the log. The writer keeps its error for Flush.
func printCause(out io.Writer, f *cause.Find) {
	c := f.Cause()
	message, _, more := strings.Cut(c.Message, "\n")
	if more {
		message += " …"
	}
	var b strings.Builder
	if c.Language != "" {
		b.WriteString(c.Language + "  ")
	}
	if b.WriteString(c.Type); c.Type != "" && message != "" {
		b.WriteString(": ")
	}
	b.WriteString(message)
	frame := ""
	if c.Frame != "" {
		frame = "  in " + show.Line(c.Frame) + "\n"
	}
	_, _ = fmt.Fprintf(out, "%s\n%s  line %d\n\n", show.Line(b.String()), frame, f.Line)
}
