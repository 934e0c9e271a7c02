package notify

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/triage/cause"
	"github.com/logfast/logfast/driver/triage/incident"
)

var update = flag.Bool("update", false, "write the golden files")

// outage is a whole incident, at a fixed time.
func outage(typ string) *incident.Event {
	first := time.Date(2026, 11, 23, 19, 3, 1, 123456789, time.UTC)
	last := first.Add(41 * time.Second)
	const key = "logs/dt=2026-11-23/host=web-1/app=checkout/20261123T190301.123456Z-000042-1a2b3c4d5e6f-error.log.gz"
	e := &incident.Event{
		SpecVersion: "1.0", ID: "20261123T190301.123456Z-k3j2", Source: "/logfast/web-1", Type: typ, Subject: "checkout", Time: last.Add(30 * time.Second), DataContentType: "application/json",
		Data: incident.Incident{
			ID: "20261123T190301.123456Z-k3j2", Host: "web-1", Scope: "group", First: first, Last: last, Closed: incident.ClosedQuiet,
			Containers: []incident.Container{
				{ID: strings.Repeat("1a2b3c4d5e6f", 6)[:64], Name: "shop-checkout-1", Image: "shop/checkout:1.4", App: "checkout", Group: "shop"},
				{ID: strings.Repeat("0f1e2d3c4b5a", 6)[:64], Name: "shop-db-1", Image: "postgres:17", App: "db", Group: "shop"},
			},
			Errors: 37, ByStatus: map[string]int64{"502": 30, "500": 7}, Lines: 1204, Bytes: 170_000, Lost: 12,
			Fingerprints: []incident.Fingerprint{
				{ID: "00000000000000aa", App: "checkout", Method: "GET", Route: "/orders/{n}", Status: 502, Errors: 30, First: first, Last: last},
				{ID: "00000000000000bb", App: "checkout", Method: "POST", Route: "/cart", Status: 500, Errors: 7, First: first, Last: last},
			},
			Samples: []incident.Sample{{
				Time: first, Container: "shop-checkout-1", Stream: "stderr", Status: 502, Rule: "combined", Fingerprint: "00000000000000aa",
				Text:    "10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] \"GET /orders/17 HTTP/1.1\" 502 157 \"-\" \"curl/8.5\"",
				Context: "Traceback (most recent call last):\n  File \"/app/views.py\", line 12, in orders\n    db.get(n)\nConnectionRefusedError: [Errno 111] Connection refused\n",
				Key:     key, Line: 812, Offset: 114_000,
			}},
			Objects: []incident.Object{{Key: key, Container: "shop-checkout-1", Reason: "error", First: first, Last: last, Lines: 1204, Errors: 37, Bytes: 170_000, Size: 9000, SHA256: strings.Repeat("0", 64)}},
		},
	}
	if typ == incident.TypeOpened {
		d := &e.Data
		d.Last, d.Closed, d.Errors, d.ByStatus, d.Lines, d.Bytes, d.Lost, d.Objects = first, "", 1, map[string]int64{"502": 1}, 0, 0, 0, nil
		d.Fingerprints, d.Samples[0].Key, d.Samples[0].Line = d.Fingerprints[:1], "", 0
		d.Fingerprints[0].Errors = 1
	}
	return e
}

// causedBy is an outage whose log says what failed, behind an error for which it does not.
func causedBy(typ, frame string) *incident.Event {
	e := outage(incident.TypeShipped)
	d := &e.Data
	c := &cause.Cause{
		Language: "python", Type: typ, Message: "[Errno 111] Connection refused\nby the database", Frame: frame,
	}
	failed := d.Samples[0]
	failed.Cause, failed.Container, failed.Line = c, "shop-worker-1", 813
	d.Samples[0].Context = ""
	d.Samples, d.Cause = append(d.Samples, failed), c
	failing := incident.KindOf("checkout", c.Type, c.Frame)
	d.Fingerprints[0].Kinds = []incident.Kind{{ID: failing, Errors: 30}}
	d.Samples[1].Kind = failing
	return e
}

// composed is the message that a person gets of events, at once.
func composed(t *testing.T, events ...*incident.Event) *message {
	t.Helper()
	b := newBox(t, (&ear{}).target("chat", true, both...))
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, e := range events {
		b.add(e)
	}
	q := b.queues[0]
	m, err := q.compose(q.waiting)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatAPersonReads(t *testing.T) {
	again := outage(incident.TypeShipped)
	again.ID = "20261123T191501.123456Z-p9q8"
	again.Data.ID, again.Data.First, again.Data.Last = again.ID, again.Data.First.Add(12*time.Minute), again.Data.Last.Add(12*time.Minute)
	again.Data.Closed = incident.ClosedMaxDelay

	other := func(n int) *incident.Event {
		e := outage(incident.TypeShipped)
		e.ID = fmt.Sprintf("20261123T1903%02d.000000Z-zzzz", n)
		e.Data.ID, e.Data.Errors = e.ID, int64(n)
		e.Data.Fingerprints[0].ID, e.Data.Fingerprints[0].Route = fmt.Sprint(n), fmt.Sprintf("/page/%d", n)
		return e
	}
	noStatus := outage(incident.TypeShipped)
	noStatus.Data.ByStatus = map[string]int64{"0": 37}
	noStatus.Data.Fingerprints = []incident.Fingerprint{{ID: "cc", App: "checkout", Errors: 37}}
	noStatus.Data.Closed = incident.ClosedStop

	hostile := outage(incident.TypeShipped)
	hostile.Data.Samples[0].Text = "\x1b[31mGET /\x1b[0m 502\r\nSubject: x\x00\xff" + strings.Repeat("long ", 400)
	hostile.Data.Samples[0].Context = strings.Repeat("frame\n", 500) + "@everyone <!channel>"
	hostile.Data.Fingerprints[0].Route = "/" + strings.Repeat("x", 500) + "\r\nBcc: all@example.com"
	hostile.Data.Containers[0].Name = strings.Repeat("n", 500) + "\n"

	for name, events := range map[string][]*incident.Event{
		"shipped": {outage(incident.TypeShipped)},
		"opened":  {outage(incident.TypeOpened)},
		"again":   {outage(incident.TypeShipped), again},
		"more":    {outage(incident.TypeShipped), other(1), other(2), other(3), other(4), other(5), other(6), other(7), other(8), other(9), other(10)},
		"status":  {noStatus},
		"hostile": {hostile},
		"cause":   {causedBy("builtins.ConnectionRefusedError", "app.views.orders")},
		"causes":  {causedBy("a."+strings.Repeat("Long", 40), strings.Repeat("frame.", 40)+"\r\nx"), other(1)},
	} {
		t.Run(name, func(t *testing.T) {
			m := composed(t, events...)
			got := m.subject + "\n\n" + m.text
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
			if strings.ContainsAny(m.subject, "\r\n") || !utf8.ValidString(got) || len(got) > 4000 {
				t.Errorf("%d bytes, subject %q", len(got), m.subject)
			}
			if head := m.subject[:min(60, len(m.subject))]; !strings.Contains(head, "checkout: ") {
				t.Errorf("the first 60 characters are %q", head)
			}
		})
	}
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	for most := 3; most < 30; most++ {
		if s := cut("größer — und länger als das", most); len(s) > most || !utf8.ValidString(s) {
			t.Errorf("%d: %q", most, s)
		}
	}
	if got := oneLine("a\tb\x00\x1b[1;31mc\r\nd", 100); got != "a bc  d" {
		t.Errorf("%q", got)
	}
}
