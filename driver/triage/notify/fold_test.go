package notify

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
)

// subjects are those of the messages that were heard.
func (e *ear) subjects() (all []string) {
	for _, m := range e.all() {
		all = append(all, m.subject)
	}
	return all
}

func (e *ear) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	got := e.subjects()
	if len(got) != len(want) {
		t.Fatalf("%s: heard %q, want %q", when, got, want)
	}
	for i, w := range want {
		if !strings.Contains(got[i], w) {
			t.Fatalf("%s: message %d is %q, want … %s …", when, i, got[i], w)
		}
	}
}

// TestFold_ByKind has one exception on two routes, and another one on the first of them.
func TestFold_ByKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var person ear
		b := newBox(t, person.target("chat", true, shippedOnly...)).start()
		defer func() { b.end() }()
		failed := func(n int, route, typ string) {
			e := event(n, incident.TypeShipped, route)
			e.Data.Fingerprints[0].Kinds = []incident.Kind{{ID: incident.KindOf("app", typ, "f"), Errors: 1}}
			b.add(e)
		}
		failed(1, "a", "KeyError")
		person.expect(t, "the first", "/a, ")
		failed(2, "b", "KeyError")
		person.expect(t, "the same exception on another route", "/a, ")
		failed(3, "a", "ValueError")
		person.expect(t, "another exception on the first route", "/a, ", "/a, ")
	})
}

func TestRepeatsOfAnHourAreOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var person, program ear
		b := newBox(t, person.target("chat", true, shippedOnly...), program.target("webhook", false, shippedOnly...)).start()
		defer func() { b.end() }()
		first := "/a, 10 errors on web-1"
		b.add(event(1, incident.TypeShipped, "a"))
		person.expect(t, "at once", first)
		for n := range 9 {
			time.Sleep(time.Minute)
			b.add(event(2+n, incident.TypeShipped, "a"))
		}
		person.expect(t, "within the hour", first)
		b.end()
		b.start() // a restart forgets nothing
		time.Sleep(50 * time.Minute)
		person.expect(t, "a moment before the hour is over", first)
		time.Sleep(2 * time.Minute)
		summary := "/a, 90 errors in 9 incidents on web-1"
		person.expect(t, "at the hour's end", first, summary)
		b.add(event(20, incident.TypeShipped, "a"))
		person.expect(t, "the summary begins another hour", first, summary)
		time.Sleep(time.Hour)
		person.expect(t, "which tells it", first, summary, first)
		time.Sleep(2 * time.Hour)
		b.add(event(21, incident.TypeShipped, "a"))
		person.expect(t, "after a quiet hour, at once", first, summary, first, first)
		if n := len(program.all()); n != 12 {
			t.Errorf("the webhook heard %d of 12", n)
		}
		if h := b.Health(); h[0].Waiting != 0 || h[1].Waiting != 0 || h[0].Folded != 8 || h[0].Messages != 3 {
			t.Errorf("%+v", h)
		}
	})
}

func TestANewFingerprintIsToldAtOnceAndTakesTheOthersAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var person ear
		b := newBox(t, person.target("chat", true, shippedOnly...)).start()
		defer b.end()
		b.add(event(1, incident.TypeShipped, "a", "b"))
		person.expect(t, "at once", "/a")
		time.Sleep(time.Minute)
		b.add(event(2, incident.TypeShipped, "b"))
		b.add(event(3, incident.TypeShipped, "b", "a"))
		person.expect(t, "nothing of it is new", "/a")
		time.Sleep(time.Minute)
		b.add(event(4, incident.TypeShipped, "a", "new"))
		person.expect(t, "something is new", "/a", "/a, 10 errors")
		b.add(event(5, incident.TypeShipped, "b", "newer"))
		person.expect(t, "and takes the collected ones of its kind along", "/a", "/a, 10 errors", "/b, 30 errors in 3 incidents")
	})
}

func TestAStormIsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var person ear
		b := newBox(t, person.target("chat", true, shippedOnly...)).start()
		defer b.end()
		one := event(1, incident.TypeShipped, "a")
		one.Data.Errors, one.Data.ByStatus["502"] = 10_000, 10_000
		b.add(one)
		person.expect(t, "an incident of 10,000 errors", "/a, 10000 errors on web-1")
		for n := range 500 {
			b.add(event(2+n, incident.TypeShipped, "a"))
		}
		time.Sleep(59 * time.Minute)
		person.expect(t, "500 incidents", "/a, 10000 errors on web-1")
		time.Sleep(2 * time.Minute)
		person.expect(t, "the hour's end", "/a, 10000 errors on web-1", "/a, 5000 errors in 500 incidents")
	})
}

func TestTheRateIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var person ear
		b := newBox(t, person.target("chat", true, shippedOnly...)).start()
		defer func() { b.end() }()
		for n := range 5 {
			b.add(event(n, incident.TypeShipped, "first-"+string(rune('a'+n))))
			synctest.Wait()
		}
		if n := len(person.all()); n != 5 {
			t.Fatalf("%d messages at once, want 5", n)
		}
		b.end()
		b.start() // which does not begin to count anew
		for n := range 12 {
			b.add(event(100+n, incident.TypeShipped, "more-"+string(rune('a'+n))))
		}
		time.Sleep(spacing - time.Second)
		if n := len(person.all()); n != 5 {
			t.Fatalf("%d messages, want 5", n)
		}
		time.Sleep(2 * time.Second)
		all := person.all()
		if len(all) != 6 || !strings.Contains(all[5].subject, "and 11 more") || strings.Count(all[5].text, "logfast incident") != 1+maxOthers || !strings.Contains(all[5].text, "and 3 more") {
			t.Fatalf("%d messages, the last: %s\n%s", len(all), all[5].subject, all[5].text)
		}
		const perHour = 10 // as docs/notify.md promises
		// New ones all the time, for a day.
		for n := range 24 * 60 {
			time.Sleep(time.Minute)
			b.add(event(1000+n, incident.TypeShipped, strings.Repeat("x", n+1)))
		}
		all = person.all()
		for i := perHour; i < len(all); i++ {
			if took := all[i].at.Sub(all[i-perHour].at); took < window {
				t.Fatalf("messages %d to %d came within %v", i-perHour, i, took)
			}
		}
		if len(all) < 100 {
			t.Errorf("%d messages in a day", len(all))
		}
	})
}

func TestAnEarlyNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var person, program, eager ear
		b := newBox(t, person.target("chat", true, both...), program.target("webhook", false, both...), eager.target("first", true, incident.TypeOpened)).start()
		defer b.end()
		opened := b.add(event(1, incident.TypeOpened, "a"))
		shipped := *opened
		shipped.Type = incident.TypeShipped
		person.expect(t, "at the first error", "first error on web-1")
		time.Sleep(time.Minute)
		b.add(&shipped)
		person.expect(t, "and when it is shipped", "first error", "10 errors")
		time.Sleep(time.Minute)
		b.add(event(2, incident.TypeOpened, "a"))
		person.expect(t, "a repeated one need not be told", "first error", "10 errors")
		if h := b.Health(); h[0].Waiting != 0 || h[0].Folded != 1 {
			t.Errorf("%+v", h[0])
		}
		eager.expect(t, "who hears nothing else", "first error")
		time.Sleep(time.Hour)
		eager.expect(t, "hears it at the hour's end", "first error", "first error")
		if n := len(program.all()); n != 3 {
			t.Errorf("the webhook heard %d of 3", n)
		}
		// One that could not be told in time is overtaken.
		person.refuse(func(context.Context, *message) error { return errDown })
		opened = b.add(event(3, incident.TypeOpened, "c"))
		shipped = *opened
		shipped.Type = incident.TypeShipped
		time.Sleep(time.Minute)
		b.add(&shipped)
		person.refuse(nil)
		time.Sleep(maxPause)
		person.expect(t, "both wait", "first error", "10 errors", "/c, 10 errors")
	})
}

func TestAClockThatWasSetBackFoldsNothingForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var person ear
		b := newBox(t, person.target("chat", true, shippedOnly...)).start()
		b.add(event(1, incident.TypeShipped, "a"))
		person.expect(t, "at once", "/a")
		b.end()
		b.open()
		q := b.queues[0]
		for _, e := range q.known {
			e.become(told, time.Now().Add(48*time.Hour))
			q.save([]*entry{e})
		}
		b.Close()
		b.start()
		defer b.end()
		b.add(event(2, incident.TypeShipped, "a"))
		person.expect(t, "told in the future is not told", "/a", "/a")
	})
}
