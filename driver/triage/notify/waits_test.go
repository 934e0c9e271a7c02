package notify

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
)

// TestWaits_SayWhyAndUntilWhen has an event wait for each reason.
func TestWaits_SayWhyAndUntilWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var person, program, dead ear
		program.refuse(func(context.Context, *message) error { return refusal{text: "the receiver answered 400"} })
		dead.refuse(func(context.Context, *message) error { return errDown })
		b := newBox(t, person.target("chat", true, shippedOnly...), program.target("webhook", false, shippedOnly...),
			dead.target("mail", true, shippedOnly...)).start()
		defer b.end()
		began := time.Now()
		for n := range burst + 1 { // the last is held by the bound
			b.add(event(n, incident.TypeShipped, strconv.Itoa(n)))
			synctest.Wait()
			time.Sleep(time.Second)
		}
		b.add(event(99, incident.TypeShipped, "0")) // told within the hour
		synctest.Wait()
		h := b.Health()
		waits := map[string]Wait{}
		for _, w := range h[0].Waits {
			waits[w.Why] = w
		}
		last := began.Add((burst - 1) * time.Second)
		if w := waits[WaitRate]; len(waits) != 2 || w.Events != 1 || w.Until.Sub(last).Abs() > time.Second+spacing || w.Until.Before(last.Add(spacing)) {
			t.Errorf("the bound: %+v", h[0].Waits)
		}
		if w := waits[WaitFolded]; w.Events != 1 || w.Until.Sub(began.Add(window)).Abs() > time.Second {
			t.Errorf("the fold: %+v", h[0].Waits)
		}
		for i, why := range map[int]string{1: WaitRefused, 2: WaitFailed} {
			if w := h[i].Waits; len(w) == 0 || w[0].Why != why || w[0].Err == nil || !w[0].Until.After(time.Now()) || h[i].Failing == 0 || h[i].FailingErr == nil {
				t.Errorf("%s: %+v", why, h[i])
			}
		}
	})
}

// TestWaits_NothingFailsOnceAllIsGivenUp has a target that is down for longer than
// events wait.
func TestWaits_NothingFailsOnceAllIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead ear
		dead.refuse(func(context.Context, *message) error { return errDown })
		b := newBox(t, dead.target("mail", true, shippedOnly...)).start()
		defer b.end()
		b.add(event(1, incident.TypeShipped, "a"))
		time.Sleep(maxAge / 2)
		synctest.Wait()
		if h := b.Health()[0]; h.Failing < 3 || h.Waiting != 1 {
			t.Errorf("while it waits: %+v", h)
		}
		time.Sleep(maxAge)
		synctest.Wait()
		if h := b.Health()[0]; h.Failing != 0 || h.FailingErr != nil || h.Waiting != 0 || h.GivenUp != 1 {
			t.Errorf("once it is given up: %+v", h)
		}
	})
}
