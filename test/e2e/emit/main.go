// Command emit is the program in the containers of the end-to-end tests: it
// writes what a script tells it, byte for byte.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
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
	Line   string        // each with this text between its number and its number
	Until  string        // instead of Count: count until this file exists, or SIGTERM
}

func main() {
	if err := (&player{}).play("/script/steps.json"); err != nil {
		fmt.Fprintln(os.Stderr, "emit:", err)
		os.Exit(1)
	}
}

// player plays a script. Its numbers go on from step to step.
type player struct {
	n    int            // of the next line
	term chan os.Signal // SIGTERM, while a step is one with Until
}

func (p *player) play(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var steps []step
	if err := json.Unmarshal(data, &steps); err != nil {
		return err
	}
	for _, s := range steps {
		for s.Await != "" && !exists(s.Await) {
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(s.Pause)
		if _, err := os.Stdout.Write(s.Stdout); err != nil {
			return err
		}
		if _, err := os.Stderr.Write(s.Stderr); err != nil {
			return err
		}
		if s.Until != "" {
			p.term = make(chan os.Signal, 1)
			signal.Notify(p.term, syscall.SIGTERM)
		}
		if err := p.count(s); err != nil {
			return err
		}
		if s.Until != "" {
			// The last word tells a reader that nothing came after it.
			if _, err := fmt.Printf("%d end %d\n", p.n, p.n); err != nil {
				return err
			}
			return nil
		}
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Stat("/script/" + file)
	return err == nil
}

// count writes the numbered lines of a step, those of a millisecond at once.
// Whoever did not take them for a second does not get them faster later.
func (p *player) count(s step) error {
	start, done := time.Now(), 0 // lines since start
	var buf []byte
	for total := 0; s.Until != "" || total < s.Count; {
		batch := 100
		if s.Rate > 0 {
			ahead := time.Until(start.Add(time.Duration(done) * time.Second / time.Duration(s.Rate)))
			if time.Sleep(ahead); ahead < -time.Second {
				start, done = time.Now(), 0
			}
			batch = max(1, s.Rate/1000)
		}
		if s.Until != "" {
			select {
			case <-p.term:
				return nil
			default:
			}
			if exists(s.Until) {
				return nil
			}
		} else {
			batch = min(batch, s.Count-total)
		}
		buf = buf[:0]
		for range batch {
			buf = fmt.Appendf(buf, "%d %s %d\n", p.n, s.Line, p.n)
			p.n++
		}
		done, total = done+batch, total+batch
		if _, err := os.Stdout.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
