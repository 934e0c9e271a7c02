package capture

import (
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
)

// scopes knows the streams of each scope of the fast track, so that nothing has to
// look through all streams for the few of one scope. roster.mu guards it.
type scopes struct {
	streams map[string]map[*stream]bool // that are read
	pending map[string]int              // registered streams that are not read yet
}

func newScopes() scopes {
	return scopes{streams: map[string]map[*stream]bool{}, pending: map[string]int{}}
}

// add lists a stream that is read from now on.
func (c *scopes) add(s *stream) {
	for _, name := range options.ScopesOf(&s.desc) {
		if c.streams[name] == nil {
			c.streams[name] = map[*stream]bool{}
		}
		c.streams[name][s] = true
	}
}

// remove forgets a stream that add has listed.
func (c *scopes) remove(s *stream) {
	for _, name := range options.ScopesOf(&s.desc) {
		delete(c.streams[name], s)
		if len(c.streams[name]) == 0 {
			delete(c.streams, name)
		}
	}
}

// expect notes n more streams, or with a negative n fewer, that are registered and
// not read yet.
func (c *scopes) expect(of *spool.Stream, n int) {
	for _, name := range options.ScopesOf(of) {
		if c.pending[name] += n; c.pending[name] == 0 {
			delete(c.pending, name)
		}
	}
}

// empty reports whether a scope has no stream, of either kind.
func (c *scopes) empty(name string) bool { return len(c.streams[name]) == 0 && c.pending[name] == 0 }
