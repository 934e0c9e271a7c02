// Command emit is the program in the benchmark's containers: it writes lines
// to stdout in as few and as large writes as a pipe takes, so that whoever
// reads them is what is measured. The lines are made before the first is
// written, and are the same for every driver.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/logfast/logfast/bench/lines"
)

// What a run of lines is cut from: about 1.3 MB, more than any pipe holds and
// far more than the 32 KiB that gzip looks back.
const blockBytes = 1_300_000

// chunk is the largest write: what a pipe holds.
const chunk = 64 << 10

func main() {
	var e emitter
	flag.IntVar(&e.count, "count", 0, "lines to write")
	flag.IntVar(&e.length, "length", 0, "bytes of a line; 0: an access log's, about 130")
	flag.DurationVar(&e.every, "every", 0, "pause before each line, which is then a stamp")
	flag.BoolVar(&e.stamps, "stamps", false, "begin each 4 KiB with a stamp, the time of the write")
	flag.BoolVar(&e.fail, "error", false, "end with a line that reports a server error and bears a stamp")
	flag.StringVar(&e.gate, "gate", "", "directory: make a file ready-<host name>, wait for a file go")
	flag.BoolVar(&e.hold, "hold", false, "at the end wait for a file end in the gate")
	flag.Parse()
	if err := e.run(); err != nil {
		fmt.Fprintln(os.Stderr, "emit:", err)
		os.Exit(1)
	}
}

type emitter struct {
	count, length int
	every         time.Duration
	stamps, fail  bool
	gate          string
	hold          bool
}

func (e *emitter) run() error {
	block, n := e.block()
	if err := e.pass(); err != nil {
		return err
	}
	if err := e.write(block, n); err != nil {
		return err
	}
	if e.fail {
		line := lines.New(2).AppendError(nil)
		if _, err := os.Stdout.Write(append(append(line, ' '), stamp()...)); err != nil {
			return err
		}
	}
	if e.hold {
		return await(filepath.Join(e.gate, "end"))
	}
	return nil
}

// block returns the lines that are written again and again, and their number.
func (e *emitter) block() ([]byte, int) {
	if e.count == 0 || e.every > 0 {
		return nil, 0
	}
	if e.length == 0 {
		n := min(e.count, blockBytes/130)
		return lines.Text(1, n), n
	}
	n := min(e.count, max(1, blockBytes/(e.length+1)))
	return lines.Fixed(1, n, e.length), n
}

// pass says that the program is ready and waits until it is let go.
func (e *emitter) pass() error {
	if e.gate == "" {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.gate, "ready-"+host), nil, 0o644); err != nil {
		return err
	}
	return await(filepath.Join(e.gate, "go"))
}

func await(file string) error {
	for {
		_, err := os.Stat(file)
		if !os.IsNotExist(err) {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (e *emitter) write(block []byte, n int) error {
	if e.every > 0 {
		for range e.count {
			time.Sleep(e.every)
			if _, err := os.Stdout.Write(stamp()); err != nil {
				return err
			}
		}
		return nil
	}
	for left := e.count; left > 0; left -= n {
		if left < n {
			block = first(block, left)
		}
		if err := e.writeBlock(block); err != nil {
			return err
		}
	}
	return nil
}

// first returns the first n lines of text.
func first(text []byte, n int) []byte {
	for i, c := range text {
		if c == '\n' {
			if n--; n == 0 {
				return text[:i+1]
			}
		}
	}
	return text
}

func (e *emitter) writeBlock(block []byte) error {
	size := chunk
	if e.stamps {
		size = 4 << 10
	}
	for len(block) > 0 {
		part := block[:min(len(block), size)]
		block = block[len(part):]
		if e.stamps {
			// A stamp must not begin within a line: the line that the chunk
			// ends in is ended here.
			if _, err := os.Stdout.Write(append(append(stamp(), part...), '\n')); err != nil {
				return err
			}
			continue
		}
		if _, err := os.Stdout.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// stamp is a line with the time, in nanoseconds since 1970.
func stamp() []byte {
	b := strconv.AppendInt([]byte("stamp="), time.Now().UnixNano(), 10)
	return append(b, '\n')
}
