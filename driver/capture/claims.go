package capture

import "sync"

// claims are the FIFOs that are being opened, registered or taken over. That waits
// for the disk, and two at once would read the same frames.
type claims struct {
	// mu guards taken. It is held for steps in memory only.
	mu    sync.Mutex
	taken map[string]chan struct{} // by path; closed when the claim is released
}

// take makes the caller the only one that claims the FIFO at this path, until it
// calls what take returns. Other FIFOs do not wait.
func (c *claims) take(path string) (release func()) {
	for {
		c.mu.Lock()
		other := c.taken[path]
		if other == nil {
			own := make(chan struct{})
			if c.taken == nil {
				c.taken = map[string]chan struct{}{}
			}
			c.taken[path] = own
			c.mu.Unlock()
			return func() {
				c.mu.Lock()
				delete(c.taken, path)
				c.mu.Unlock()
				close(own)
			}
		}
		c.mu.Unlock()
		<-other
	}
}

// has reports whether the FIFO at this path is claimed.
func (c *claims) has(path string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken[path] != nil
}
