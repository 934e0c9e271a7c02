package capture

import (
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/capture/fifo"
)

// What a busy stream costs is its wake-ups: dockerd writes each line by
// itself, and a reader that is woken by each one takes more of the processor
// than all its work on the line. So a stream that writes steadily is read in turns,
// see turns, and one that writes fast in shorter ones of its own. Its pipe is made
// large enough for that. A stream that was quiet is read at once.
const (
	// minPause is worth more than the timer costs.
	minPause = time.Millisecond
	// quietAfter is when a FIFO counts as quiet: none of its lines came for so long.
	quietAfter = 200 * time.Millisecond
	// steadyWithin is how far reads that find bytes are apart if each turn finds some.
	steadyWithin = 2 * turnEvery * turnTicks
	// spareReads is after how many reads in a row that find next to nothing a pipe
	// loses what it was enlarged by. That is a second of turns.
	spareReads = 25
	// shrinkAfter is how long a FIFO must be quiet to lose its larger pipe: the
	// kernel counts the pages of all pipes of a user (pipe-user-pages-soft).
	shrinkAfter = time.Second
	// maxPipe is Linux's pipe-max-size, for those without privileges.
	maxPipe = 1 << 20
	// maxEnlarged bounds what all pipes together may have been enlarged by, in
	// bytes: a quarter of what Linux lets a user have before it makes new pipes
	// too small to be of use. dockerd's own are among them.
	maxEnlarged = 16 << 20
)

// pace is the rhythm of one stream. Its run goroutine owns it.
type pace struct {
	fifo     *fifo.Reader
	enlarge  *atomic.Int64 // bytes that all pipes were enlarged by; shared
	first    int           // bytes that the pipe held when the stream was opened
	capacity int           // bytes that it holds now
	most     int           // bytes that the kernel lets it hold, as far as is known
	last     time.Time
	steady   bool // the last read found bytes, and the one before was a moment ago
	spare    int  // reads in a row that found next to nothing in an enlarged pipe
}

func newPace(r *fifo.Reader, enlarge *atomic.Int64) (pace, error) {
	n, err := r.Capacity()
	p := pace{fifo: r, enlarge: enlarge, first: min(n, dockersPipe), capacity: n, most: maxPipe}
	enlarge.Add(int64(p.capacity - p.first))
	return p, err
}

// close forgets the pipe, which goes with its container or serves the next life.
func (p *pace) close() { p.enlarge.Add(int64(p.first - p.capacity)) }

// dockersPipe is what a pipe holds that nobody has resized, in bytes: Linux's
// default. A process before this one may have left a larger one.
const dockersPipe = 64 << 10

// next records that n bytes were read at the time now. It returns how long to let
// the pipe fill: 0 if the stream is to be read as soon as there is something, and
// turnEvery or more if it is to wait for its turn. It aims at half a pipe.
func (p *pace) next(n int, now time.Time) time.Duration {
	since := now.Sub(p.last)
	if since > quietAfter {
		p.last, p.steady = now, false
		return 0
	}
	if p.steady = n > 0 && since <= steadyWithin; n == 0 {
		return turnEvery
	}
	p.last = now
	p.fit(n)
	if n >= peekSize/2 {
		return 0 // there may be more already
	}
	fill := time.Duration(float64(since) * float64(p.capacity/2) / float64(n))
	return max(fill, minPause)
}

// fit makes the pipe larger or smaller after n bytes. Frames do not fill a pipe's
// pages: one that does not fit behind another begins a page of its own. And what comes
// in a turn may come faster in the next.
func (p *pace) fit(n int) {
	switch {
	case n > p.capacity/8:
		p.spare = 0
		p.grow()
	case p.enlarged() && n < p.capacity/64:
		if p.spare++; p.spare >= spareReads {
			p.shrink()
		}
	default:
		p.spare = 0
	}
}

func (p *pace) grow() {
	want := min(2*p.capacity, p.most)
	if want <= p.capacity || p.enlarge.Load()+int64(want-p.capacity) > maxEnlarged {
		return
	}
	if !p.resize(want) {
		p.most = p.capacity // no more for this user; the pipe does as it is
	}
}

// enlarged reports whether shrink has something to do.
func (p *pace) enlarged() bool { return p.capacity > p.first }

// shrink gives the pipe the size back that it had at first.
func (p *pace) shrink() {
	p.spare = 0
	p.resize(p.first)
	p.most = maxPipe
}

func (p *pace) resize(want int) bool {
	n, err := p.fifo.Resize(want)
	if err != nil {
		return false
	}
	p.enlarge.Add(int64(n - p.capacity))
	p.capacity = n
	return true
}
