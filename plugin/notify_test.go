package plugin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/docker/docker/daemon/logger"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/internal/durable"
)

// notifyFile writes who is told to a file.
func notifyFile(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// fail makes a container answer an error, once.
func (s *served) fail() {
	s.Helper()
	fifo, w := makeFIFO(s.T)
	info := logger.Info{ContainerID: strings.Repeat("ab", 32), ContainerName: "/web", ContainerImageName: "shop:7"}
	if got := s.call("LogDriver.StartLogging", startRequest(s.T, fifo, info)); got != "" {
		s.Fatal(got)
	}
	line := []byte(`10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /orders/17 HTTP/1.1" 502 0`)
	if err := logdriver.NewLogEntryEncoder(w).Encode(&logdriver.LogEntry{Source: "stdout", TimeNano: time.Now().UnixNano(), Line: line}); err != nil {
		s.Fatal(err)
	}
}

func (s *served) await(what string, got <-chan struct{}) {
	s.Helper()
	select {
	case <-got:
	case <-time.After(20 * time.Second):
		s.Fatalf("%s never came\n%s", what, s.log.String())
	}
}

// TestAnErrorIsTold follows an error to a webhook and to a mailbox: at the first
// error, and once its log is in the store.
func TestAnErrorIsTold(t *testing.T) {
	bot, box := notifytest.NewReceiver(t), (&notifytest.Mailbox{}).Start(t)
	s := serve(t, "LOGFAST_QUIET_PERIOD=200ms", "LOGFAST_NOTIFY="+bot.URL+"/hook",
		"LOGFAST_NOTIFY_FILE="+notifyFile(t, "smtp://"+box.Address+"/?from=a@example.com&to=b@example.com on=first,shipped"))
	s.fail()
	s.await("the webhook's event", bot.Got())
	var e incident.Event
	if err := json.Unmarshal(bot.Requests()[0].Body, &e); err != nil {
		t.Fatal(err)
	}
	if e.Type != incident.TypeShipped || len(e.Data.Objects) != 1 {
		t.Fatalf("%+v", e)
	}
	if _, err := os.Stat(filepath.Join(s.spool, "archive", e.Data.Objects[0].Key)); err != nil {
		t.Errorf("it was told before its log was in the store: %v", err)
	}
	s.await("the first mail", box.Got())
	s.await("the second mail", box.Got())
	for i, want := range []string{"web: 502 GET /orders/{n}, first error on web-1", "web: 502 GET /orders/{n}, 1 error on web-1"} {
		if got := box.Mails()[i].Header.Get("Subject"); got != want {
			t.Errorf("mail %d: %q", i, got)
		}
	}
	if want := filepath.Join(s.spool, "archive", e.Data.Objects[0].Key); !strings.Contains(strings.ReplaceAll(string(box.Mails()[1].Raw), "=\r\n", ""), strings.ReplaceAll(want, "=", "=3D")) {
		t.Errorf("%s\nlacks %s", box.Mails()[1].Raw, want)
	}
	s.stop()
	if len(bot.Requests()) != 1 || len(box.Mails()) != 2 {
		t.Errorf("%d requests, %d mails", len(bot.Requests()), len(box.Mails()))
	}
	if text := s.log.String(); !strings.Contains(text, "incidents are told") || strings.Contains(text, "/hook") {
		t.Error(text)
	}
}

// TestWhatCouldNotBeToldIsToldByTheNextProcess stops logfast while the receiver
// is away.
func TestWhatCouldNotBeToldIsToldByTheNextProcess(t *testing.T) {
	away := notifytest.NewReceiver(t)
	away.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	s := serve(t, "LOGFAST_QUIET_PERIOD=200ms", "LOGFAST_NOTIFY="+away.URL)
	s.fail()
	s.await("the first attempt", away.Got())
	s.stop()
	away.Answer(nil)
	again := serveOn(t, s.spool, "LOGFAST_NOTIFY="+away.URL)
	again.await("the event", away.Got())
}

// TestAnOutboxThatCannotBeOpenedKeepsNobodyFromLogging: and what happened
// meanwhile is told once it can.
func TestAnOutboxThatCannotBeOpenedKeepsNobodyFromLogging(t *testing.T) {
	bot := notifytest.NewReceiver(t)
	spool := t.TempDir()
	var refuse atomic.Bool
	refuse.Store(true)
	defer durable.Intercept(func(step durable.Step, do func() error) error {
		if refuse.Load() && step.Op == "mkdir" && step.Name == outboxDir {
			return unix.EIO
		}
		return do()
	})()
	s := serveOn(t, spool, "LOGFAST_QUIET_PERIOD=200ms", "LOGFAST_NOTIFY="+bot.URL)
	s.fail()
	s.incidents(1)
	if !strings.Contains(s.log.String(), "incidents cannot be told yet") {
		t.Error(s.log.String())
	}
	refuse.Store(false)
	s.await("the event", bot.Got())
}

func TestABadFileOfTargetsIsExplained(t *testing.T) {
	name := notifyFile(t, "# ours", "https://a.example secert=hunter2hunter2hunter2")
	_, err := ReadConfig([]string{"LOGFAST_NOTIFY_FILE=" + name})
	if want := fmt.Sprintf(`LOGFAST_NOTIFY_FILE=%s: line 2: unknown option secert; did you mean "secret"?`, name); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v\nwant … %s …", err, want)
	}
}
