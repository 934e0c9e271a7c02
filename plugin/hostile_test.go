package plugin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/logfast/logfast/internal/await"
	"github.com/logfast/logfast/plugin/control"
)

// pour writes 300 MB, or as much as the other side takes, and counts that.
func pour(w io.Writer, text string, poured *atomic.Int64) {
	poured.Add(1)
	block := bytes.Repeat([]byte(text), 1+(64<<10)/len(text))
	for n := 0; n < 300<<20; n += len(block) {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// peakMemory is the most memory that a process had, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// The store, a chat, a webhook and a mail server, none of which ever stops
// talking: the plugin's process stays within 128 MiB.
func TestHostile_ThePluginsMemoryStaysBounded(t *testing.T) {
	var ofStore, ofChat, ofHook, ofMail atomic.Int64
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if ofStore.Load()%2 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
		pour(w, "<Error><Code>x</Code>", &ofStore)
	}))
	defer store.Close()
	chat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { pour(w, "x", &ofChat) }))
	defer chat.Close()
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		pour(w, "x", &ofHook)
	}))
	defer hook.Close()
	mail, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mail.Close()
	go func() {
		for {
			c, err := mail.Accept()
			if err != nil {
				return
			}
			pour(c, "220-welcome\r\n", &ofMail)
			c.Close()
		}
	}()

	c := &child{served: &served{T: t, spool: t.TempDir()}}
	c.spawn(filepath.Join(t.TempDir(), "logfast.sock"), "LOGFAST_STORE=s3://bucket/logs", "AWS_ENDPOINT_URL_S3="+store.URL,
		"LOGFAST_TEST_TERM=1", "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=key", "LOGFAST_QUIET_PERIOD=100ms",
		"LOGFAST_NOTIFY_FILE="+notifyFile(t,
			"ntfy://"+strings.TrimPrefix(chat.URL, "http://")+"/topic?scheme=http on=first",
			hook.URL+" on=first", "smtp://"+mail.Addr().String()+"/?from=a@example.com&to=b@example.com on=first"))
	c.fail()
	await.Until(t, "each is asked three times", func() bool {
		return min(ofStore.Load(), ofChat.Load(), ofHook.Load(), ofMail.Load()) >= 3
	}, func() string {
		return fmt.Sprintf("store %d, chat %d, webhook %d, mail %d\n%s",
			ofStore.Load(), ofChat.Load(), ofHook.Load(), ofMail.Load(), c.log.String())
	})
	if peak := peakMemory(t, c.cmd.Process.Pid); peak > 128<<20 {
		t.Errorf("the plugin had %d MiB", peak>>20)
	} else {
		t.Logf("the plugin had %d MiB", peak>>20)
	}
	c.kill(syscall.SIGTERM)
	if log := c.log.String(); strings.Contains(log, "segment uploaded") {
		t.Errorf("a segment counts as uploaded:\n%s", log)
	}
}

// login answers everything as a login page of a network does.
func login(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/html")
	io.WriteString(w, "<!DOCTYPE html><html><body>Sign in</body></html>")
}

// A login page answers instead of the store, and then the store does: nothing is
// pruned meanwhile, and the segment arrives.
func TestPortal_NothingIsLostWhileALoginPageAnswers(t *testing.T) {
	var open atomic.Bool
	var puts, kept atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			puts.Add(1)
		}
		if !open.Load() {
			login(w, r)
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodPut && n > 0 {
			kept.Add(1)
			w.Header().Set("X-Amz-Checksum-Sha256", r.Header.Get("X-Amz-Checksum-Sha256"))
		}
	}))
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "key")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	s := serve(t, "LOGFAST_STORE=s3://bucket/logs", "AWS_ENDPOINT_URL_S3="+server.URL, "LOGFAST_QUIET_PERIOD=100ms", "LOGFAST_KEEP=0s")
	s.fail()
	await.Until(t, "the log says why", func() bool {
		return strings.Contains(s.log.String(), "does not answer like S3")
	}, func() string {
		return fmt.Sprintf("%d puts\n%s", puts.Load(), s.log.String())
	})
	if strings.Contains(s.log.String(), "segment uploaded") || len(find(t, s.spool, "*", "*.gz")) != 1 {
		t.Errorf("the segment counts as uploaded:\n%s", s.log.String())
	}
	open.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := control.NewClient(s.spool).Flush(ctx, nil, func(control.Flush) {}); err != nil || kept.Load() == 0 {
		t.Errorf("flush: %v, and %d objects were kept\n%s", err, kept.Load(), s.log.String())
	}
}

func TestCheck_ALoginPageIsNoStore(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(login))
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "key")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	all := Check(t.Context(), []string{"LOGFAST_SPOOL=" + t.TempDir(), "LOGFAST_STORE=s3://bucket/logs", "AWS_ENDPOINT_URL_S3=" + server.URL}, true)
	f := found(all, "put")
	if f.Result != control.Fail || !strings.Contains(f.Detail, "does not answer like S3") || !strings.Contains(f.Remedy, "AWS_ENDPOINT_URL_S3=") {
		t.Errorf("%+v\nof %+v", f, all)
	}
}
