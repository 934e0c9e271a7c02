package plugin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/docker/go-plugins-helpers/sdk"

	"github.com/logfast/logfast/driver/read/logs"
)

// readConfig is Docker's (moby daemon/logger.ReadConfig). Docker filters the
// answer by Since and Until again, but counts no Tail.
type readConfig struct {
	Since, Until time.Time // zero: without bound
	Tail         int       // negative: all
	Follow       bool
}

const (
	// heartbeat is how often a silent follower sends empty frames. One whose
	// client has gone lasts as long.
	heartbeat = 5 * time.Second

	// lastReads is how long readers may go on once the plugin has to stop, well
	// within the 10 s that Docker gives it.
	lastReads = time.Second
)

// readLogs answers with a stream of frames, or with status 500 and an error
// that docker logs shows.
func (s *server) readLogs(w http.ResponseWriter, r *http.Request) {
	req, err := decode(w, r)
	if err == nil {
		// Only behind its end does the server see that Docker hangs up.
		_, err = io.Copy(io.Discard, r.Body)
	}
	var able *able
	if err == nil {
		if able = s.await(r); able == nil {
			return
		}
		err = able.failed
	}
	if err != nil {
		refuseRead(w, err)
		return
	}
	ctx, done, ok := s.reads.begin(r.Context())
	if !ok {
		refuseRead(w, errors.New("logfast is shutting down"))
		return
	}
	defer done()
	able.capture.Settle(ctx, req.Info.ContainerID)
	reading, err := able.reader.Open(logs.Request{
		ID: req.Info.ContainerID, Since: req.Config.Since, Until: req.Config.Until, Tail: req.Config.Tail,
		Follow: req.Config.Follow,
		Older:  able.older(ctx, req),
	})
	if err != nil {
		refuseRead(w, err)
		return
	}
	defer reading.Close()
	out := body{w, http.NewResponseController(w)}
	// A client that reads slowly holds a write up. This ends it.
	defer context.AfterFunc(ctx, func() { _ = out.SetWriteDeadline(time.Unix(1, 0)) })()
	w.Header().Set("Content-Type", "application/x-json-stream") // as moby's own plugins call it
	if out.Flush() == nil {
		_ = reading.Copy(ctx, out) // whoever could be told has gone
	}
}

func refuseRead(w http.ResponseWriter, err error) {
	sdk.EncodeResponse(w, struct{ Err string }{"logfast: " + err.Error()}, true)
}

// body sends frames as the body of an answer.
type body struct {
	io.Writer
	*http.ResponseController
}

// reads are the answers under way.
type reads struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	ended bool // owned by mu
}

func newReads() *reads {
	r := &reads{}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// begin counts one more; its context ends with parent, and with all of them.
func (r *reads) begin(parent context.Context) (ctx context.Context, done func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil, nil, false
	}
	r.wg.Add(1)
	ctx, cancel := context.WithCancel(parent)
	stop := context.AfterFunc(r.ctx, cancel)
	return ctx, func() { stop(); cancel(); r.wg.Done() }, true
}

// end lets nobody begin any more, waits a while for those who have, and then
// ends them.
func (r *reads) end(wait time.Duration) {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	defer time.AfterFunc(wait, r.cancel).Stop()
	r.wg.Wait()
	r.cancel()
}
