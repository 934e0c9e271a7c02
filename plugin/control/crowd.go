package control

import (
	"net"
	"net/http"
	"sync"
)

// crowd bounds how many connections a server keeps. One too many closes the
// connection that has been idle longest, so that whoever opens hundreds and
// leaves them shuts nobody out.
type crowd struct {
	most   int
	active bool // whether connections with a request may be closed, too: where none takes long

	mu    sync.Mutex
	turn  int                  // owned by mu; counts changes of state
	conns map[net.Conn]*member // owned by mu
}

type member struct {
	busy  bool // with a request
	since int  // the turn of its last change
}

// changed is a server's ConnState.
func (c *crowd) changed(conn net.Conn, state http.ConnState) {
	if victim := c.note(conn, state); victim != nil {
		_ = victim.Close() // its server notices
	}
}

// note keeps a connection's state, and returns one that has to go.
func (c *crowd) note(conn net.Conn, state http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	if c.conns == nil {
		c.conns = map[net.Conn]*member{}
	}
	switch state {
	case http.StateNew:
		c.conns[conn] = &member{since: c.turn}
		if len(c.conns) > c.most {
			victim := c.leastLocked(conn)
			delete(c.conns, victim)
			return victim
		}
	case http.StateActive, http.StateIdle:
		if m := c.conns[conn]; m != nil { // else it has to go already
			m.busy, m.since = state == http.StateActive, c.turn
		}
	case http.StateClosed, http.StateHijacked:
		delete(c.conns, conn)
	}
	return nil
}

// leastLocked returns the connection that can be spared best: added, which is
// new, if all others have a request and must be left alone.
func (c *crowd) leastLocked(added net.Conn) net.Conn {
	victim := added
	var least *member
	for conn, m := range c.conns {
		if conn == added || m.busy && !c.active {
			continue
		}
		if least == nil || least.busy && !m.busy || least.busy == m.busy && m.since < least.since {
			victim, least = conn, m
		}
	}
	return victim
}
