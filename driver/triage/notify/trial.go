package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/logfast/logfast/internal/suggest"
)

// TypeTest is the type of the CloudEvent that a webhook gets as a test message. Its
// data is a JSON object with the host and a text.
const TypeTest = "io.github.logfast.test.v1"

// testTime bounds how long a test message waits for its target's answer.
const testTime = 30 * time.Second

// Tested is what came of one test message.
type Tested struct {
	Target *Target
	Answer string // what the target answered; no secret
	Err    error  // why the target did not take it; no secret
}

// ID is the target's name without its host: one word for a command line.
func (t *Target) ID() string { return id(t.Name) }

func id(name string) string {
	id, _, _ := strings.Cut(name, " ")
	return id
}

// Find returns the targets that a word names, as [Match] does.
func Find(all []*Target, word string) (found []*Target, err error) {
	return Match(all, func(t *Target) string { return t.Name }, word)
}

// Match returns those of all whose name a word names: by name, ID, or the beginning of
// one target's ID. The empty word names all.
func Match[T any](all []T, name func(T) string, word string) (found []T, err error) {
	var ids []string
	for _, t := range all {
		if word == "" || name(t) == word || id(name(t)) == word {
			found = append(found, t)
		}
		ids = append(ids, id(name(t)))
	}
	if len(found) > 0 || word == "" {
		return found, nil
	}
	for i, t := range all {
		if strings.HasPrefix(ids[i], word) {
			found = append(found, t)
		}
	}
	switch {
	case len(found) == 1:
		return found, nil
	case len(found) > 1:
		return nil, fmt.Errorf("%q begins the names of %d targets: write more of it", word, len(found))
	case len(all) == 0:
		return nil, fmt.Errorf("no target %q: no target is configured", word)
	}
	return nil, fmt.Errorf("no target %q%s; there are %s", word, suggest.Nearest(word, ids), strings.Join(ids, ", "))
}

// TestAll sends a test message to each target, to all at once, and returns what came
// of it in the order of the targets. It takes 30 seconds at most. A test message is
// sent once and kept nowhere: the queues, their counts and their pauses do not change.
func TestAll(ctx context.Context, targets []*Target, host string) []Tested {
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	all := make([]Tested, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() {
			all[i] = Tested{Target: t}
			all[i].Answer, all[i].Err = t.test(ctx, host)
		})
	}
	wg.Wait()
	return all
}

// test makes the one attempt.
func (t *Target) test(ctx context.Context, host string) (answer string, err error) {
	m, err := testMessage(t, host, time.Now())
	if err != nil {
		return "", err
	}
	m.answer = &answer
	err = guard(func() error { return t.sender.send(ctx, m) })
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("no answer within %v", testTime)
	case err != nil:
		return "", err
	}
	return cmp.Or(answer, "taken, without a reply that logfast sees"), nil
}

// testMessage says in each target's form that it is a test.
func testMessage(t *Target, host string, at time.Time) (*message, error) {
	var random [8]byte
	rand.Read(random[:])
	id := "test-" + at.UTC().Format("20060102T150405") + "-" + hex.EncodeToString(random[:])
	host = clean(host)
	text := "Test message from logfast on " + host + ", sent by logfast notify --test: nothing is wrong."
	m := &message{id: id, at: at, text: text}
	switch {
	case t.Kind == "smtp":
		m.subject, m.text = "[test] logfast on "+host+": nothing is wrong", text+"\n"
	case !t.folds:
		var err error
		m.event, err = json.Marshal(map[string]any{
			"specversion": "1.0", "id": id, "source": "/logfast/" + host, "type": TypeTest,
			"time": at.UTC(), "datacontenttype": "application/json",
			"data": map[string]string{"host": host, "text": text},
		})
		if err != nil {
			return nil, fmt.Errorf("encode the test message: %w", err)
		}
	}
	return m, nil
}
