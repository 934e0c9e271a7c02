// Command emit is the program in the containers of the end-to-end tests: it
// writes what a script tells it, byte for byte.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// step is one thing to do; its fields are done in this order.
type step struct {
	Await  string        // wait until this file exists
	Pause  time.Duration // wait
	Stdout []byte        // one write
	Stderr []byte        // one write
	Count  int           // then Count numbered lines on stdout,
	Rate   int           // this many a second, 0: as fast as they are taken
	Line   string        // each with this text behind its number
}

func main() {
	if err := play("/script/steps.json"); err != nil {
		fmt.Fprintln(os.Stderr, "emit:", err)
		os.Exit(1)
	}
}

func play(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var steps []step
	if err := json.Unmarshal(data, &steps); err != nil {
		return err
	}
	for _, s := range steps {
		for s.Await != "" {
			if _, err := os.Stat("/script/" + s.Await); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(s.Pause)
		if _, err := os.Stdout.Write(s.Stdout); err != nil {
			return err
		}
		if _, err := os.Stderr.Write(s.Stderr); err != nil {
			return err
		}
		if err := count(s); err != nil {
			return err
		}
	}
	return nil
}

// count writes the numbered lines of a step, those of a millisecond at once.
func count(s step) error {
	start := time.Now()
	var buf []byte
	for n := 0; n < s.Count; {
		batch := 100
		if s.Rate > 0 {
			time.Sleep(time.Until(start.Add(time.Duration(n) * time.Second / time.Duration(s.Rate))))
			batch = max(1, s.Rate/1000)
		}
		buf = buf[:0]
		for range min(batch, s.Count-n) {
			buf = fmt.Appendf(buf, "%d %s\n", n, s.Line)
			n++
		}
		if _, err := os.Stdout.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
