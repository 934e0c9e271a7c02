package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/internal/refused"
	"github.com/logfast/logfast/plugin/selflog"
)

// ErrNoPlugin is in the errors of a Client for which no plugin answers at the socket.
var ErrNoPlugin = errors.New("no plugin answers")

// absent is ErrNoPlugin with a text that says what to type.
type absent struct{ error }

func (absent) Is(target error) bool { return target == ErrNoPlugin }

// Client asks the plugin that has a spool.
type Client struct {
	spool string
	http  http.Client
	self  refused.Process // which the socket refuses
}

// NewClient makes a client of the plugin that has the spool at this path.
func NewClient(spool string) *Client {
	c := &Client{spool: spool, self: refused.This()}
	c.http.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			dir, err := os.OpenFile(filepath.Join(spool, Dir), os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
			if err != nil {
				return nil, err
			}
			defer dir.Close()
			return (&net.Dialer{}).DialContext(ctx, "unix", through(dir, Socket))
		},
	}
	return c
}

// Status asks how the plugin is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.get(ctx, "/status", &s)
}

// Check lets the plugin look at its configuration, disk and store.
func (c *Client) Check(ctx context.Context) (all []Finding, err error) {
	return all, c.get(ctx, "/check", &all)
}

// TestTargets lets the plugin send a test message to the target of that name, or to
// all if the name is empty, and returns what each answered.
func (c *Client) TestTargets(ctx context.Context, target string) (all []Tested, err error) {
	const path = "/notify/test"
	r, err := c.do(ctx, http.MethodPost, path, strings.NewReader(target))
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(bounded(r)).Decode(&all); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("the plugin ended before it answered %s: %w", path, err)
	}
	return all, nil
}

// Level sets the level of the plugin's own log.
func (c *Client) Level(ctx context.Context, level string) error {
	r, err := c.do(ctx, http.MethodPut, "/level", strings.NewReader(level))
	if err != nil {
		return err
	}
	return r.Body.Close()
}

// Text asks for one of the pages that are text: /metrics or /healthz.
func (c *Client) Text(ctx context.Context, path string) (status int, text string, err error) {
	r, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(bounded(r))
	return r.StatusCode, string(b), err
}

// Flush seals and ships what the containers have written, all where none is
// named. It tells each step and returns nil once all is in the store.
func (c *Client) Flush(ctx context.Context, containers []string, tell func(Flush)) error {
	body, err := json.Marshal(append([]string{}, containers...))
	if err != nil {
		return err
	}
	r, err := c.do(ctx, http.MethodPost, "/flush", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	for in := json.NewDecoder(bounded(r)); ; {
		var f Flush
		switch err := in.Decode(&f); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return errors.New("the plugin has ended meanwhile; what was sealed is shipped when it is back")
		case f.Error != "":
			return errors.New(f.Error)
		case f.Done:
			return nil
		}
		tell(f)
	}
}

// maxReply is how many bytes of an answer a client reads. The status of a
// thousand containers has one of 64 parts of that.
const maxReply = 64 << 20

// bounded is the body of an answer, which breaks off where it becomes too long:
// JSON that is cut is an error.
func bounded(r *http.Response) io.Reader { return io.LimitReader(r.Body, maxReply) }

func (c *Client) get(ctx context.Context, path string, v any) error {
	r, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(bounded(r)).Decode(v); err != nil {
		return fmt.Errorf("the plugin's answer to %s cannot be read, be it of another version: %w", path, err)
	}
	return nil
}

// do sends a request whose answer must be good.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	r, err := c.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if r.StatusCode == http.StatusOK {
		return r, nil
	}
	defer r.Body.Close()
	why, _ := io.ReadAll(io.LimitReader(r.Body, 4<<10))
	if r.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("the plugin does not know %s: it is of another version than this program; compare "+
			"logfast version and logfast status", path)
	}
	return nil, errors.New(strings.TrimSpace(string(why)))
}

func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://logfast"+path, body)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	return answer, nil
}

// explain says what to type where nobody answers.
func (c *Client) explain(ctx context.Context, err error) error {
	socket := filepath.Join(c.spool, Dir, Socket)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("connect to %s: permission denied: %s",
			socket, c.self.Reason(refused.Operator))
	case errors.Is(err, os.ErrNotExist):
		if _, err := os.Stat(c.spool); err != nil {
			return absent{fmt.Errorf("there is no spool at %s: where the plugin's logs.source was set "+
				"to another directory, name that: --spool DIRECTORY (docker plugin inspect logfast shows it)", c.spool)}
		}
		return absent{fmt.Errorf("no plugin has been at work in %s: start it with "+
			"docker plugin enable --timeout 0 logfast, or name the directory that logs.source was set to: "+
			"--spool DIRECTORY%s", c.spool, c.lastWords())}
	case errors.Is(err, syscall.ECONNREFUSED):
		return absent{fmt.Errorf("no plugin is at work in %s: see why with docker plugin ls and tail %s, "+
			"and start it with docker plugin enable --timeout 0 logfast%s",
			c.spool, filepath.Join(c.spool, selflog.FileName), c.lastWords())}
	}
	return fmt.Errorf("ask the plugin at %s: %w", socket, err)
}

// lastWords quotes the end of the plugin's log, where that is an error: it runs,
// perhaps, and cannot work.
func (c *Client) lastWords() string {
	root, err := os.OpenRoot(c.spool)
	if err != nil {
		return ""
	}
	defer root.Close() //nolint:errcheck // nothing is written by it
	f, err := durable.OpenRegular(root, selflog.FileName, os.O_RDONLY, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if last, err := selflog.LastLine(f); err == nil && strings.Contains(last, " level=ERROR ") {
		return "; its log ends: " + last
	}
	return ""
}
