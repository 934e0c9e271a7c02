// Package notify sends incidents to webhooks, chats and mailboxes from an outbox
// on disk. What Add has accepted is sent to each target at least once, however
// often the process dies. No target waits for another, and Add never waits for the
// network.
//
// A program reads a webhook, so it gets every event as it is. A person reads a chat
// or a mailbox, so repetitions are folded into one message (see fold.go).
//
// Layout, below the directory that it is given: one directory a target, named
// after it and a sum of its URL, and in it one file an event. The file holds
// the event; its name says what became of it, and since when:
//
//	<id>-shipped.waiting-<time>     to be told, added then
//	<id>-shipped.told-<time>        told; every event of one message has one time
//	<id>-opened.folded-<time>       not told by itself: another message says it
//	<id>-shipped.given-up-<time>    not told: too old, or too many wait
//
// All but the first are the memory that keeps a repeated Add from being told
// again, and which errors were told within the hour; they go after a week.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/durable"
)

// Config is what an Outbox needs. All fields must be set.
type Config struct {
	Dir     durable.Root // the outbox's alone; Close closes it
	Targets []*Target
	Store   string // what stands before an object's key where a person reads it: s3://bucket/prefix/
	Log     *slog.Logger
}

// Outbox holds what is to be told. Its methods may be called from several
// goroutines.
type Outbox struct {
	dir    durable.Root
	queues []*queue
}

// Open takes the directory's outbox up as the process before left it. What is
// there of targets that are no longer configured stays, until its time is over.
func Open(cfg Config) (*Outbox, error) {
	o := &Outbox{dir: cfg.Dir}
	for _, t := range cfg.Targets {
		q, err := openQueue(cfg, t)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open the outbox of %s: %w", t.Name, err), o.Close())
		}
		o.queues = append(o.queues, q)
	}
	return o, nil
}

// Close gives the directory up. Run must have returned.
func (o *Outbox) Close() error {
	var errs []error
	for _, q := range o.queues {
		errs = append(errs, q.dir.Close())
	}
	return errors.Join(append(errs, o.dir.Close())...)
}

// name is what an incident's id looks like: it becomes a file's name.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,150}$`)

// Add takes an event for every target that wants its type. When it returns nil
// the event is on disk; it waits for the disk and for nothing else. It may be
// repeated, and must be after an error: what a target has already, told or not,
// it does not get again.
//
//	write the event, for each target   killed here: some targets have it; who
//	                                   adds does so again, for the others
func (o *Outbox) Add(e *incident.Event) error {
	if len(o.queues) == 0 {
		return nil
	}
	if e.Type != incident.TypeShipped && e.Type != incident.TypeOpened {
		return fmt.Errorf("tell incident %s: nobody knows the type %q", e.Data.ID, e.Type)
	}
	if !name.MatchString(e.Data.ID) {
		return fmt.Errorf("tell incident %q: the id cannot be a file's name", e.Data.ID)
	}
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("tell incident %s: %w", e.Data.ID, err)
	}
	var errs []error
	for _, q := range o.queues {
		if err := q.add(e, body); err != nil {
			errs = append(errs, fmt.Errorf("tell incident %s to %s: %w", e.Data.ID, q.target.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Run tells what waits and what comes, until ctx ends, and returns once nothing
// of it is left running. What it was about to tell then, the next Run tells.
func (o *Outbox) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, q := range o.queues {
		wg.Go(func() { q.run(ctx) })
	}
	wg.Go(func() { o.prune(ctx) })
	wg.Wait()
}

// Health is how telling goes at one moment: one entry a target.
type Health []TargetHealth

// TargetHealth is one target's. The counts are of this process.
type TargetHealth struct {
	Name      string    // as the log has it; no secret
	Kind      string    // webhook, smtp, or the chat's service
	Waiting   int       // events
	Oldest    time.Time // when the oldest of them was added; zero where none waits
	Told      int64     // events that were told
	Messages  int64     // that told them: requests, mails, messages
	Folded    int64     // events that came in another one's message, or whose early notice was overtaken
	Failed    int64     // attempts
	GivenUp   int64     // events that were not told
	LastTold  time.Time // zero: none since the start
	LastError error     // of the last attempt; nil where that succeeded

	Waits      []Wait // why events wait, one entry a reason
	Failing    int    // attempts that failed in a row, of the target or of one event
	FailingErr error  // why the last of those failed
}

// Health tells how each target does. It waits for the disk at most.
func (o *Outbox) Health() Health {
	var h Health
	for _, q := range o.queues {
		h = append(h, q.health())
	}
	return h
}
