package notify

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/show"
	"github.com/logfast/logfast/internal/sum"
)

// message is what one attempt brings to a target.
type message struct {
	id      string // the same for the same events, whenever they are sent
	at      time.Time
	event   []byte // of a webhook: the event's bytes
	subject string // of the others: one line; "" if the text is all of it
	text    string

	answer *string // if set, the sender writes there what the target answered
}

// answered keeps what a target answered that has taken the message.
func (m *message) answered(text string) {
	if m.answer != nil {
		*m.answer = oneLine(text, 4*quoted)
	}
}

// joined is a message for targets that show no subject apart from the text.
func joined(subject, text string) string {
	if subject == "" {
		return text
	}
	return subject + "\n\n" + text
}

// The bounds of a message, in bytes. Telegram takes 4096 in all.
const (
	maxSubject = 72  // of which the first 60 tell most
	maxCaused  = 110 // of a subject that names a cause
	maxText    = 3400
	maxQuote   = 600
	maxOthers  = 8
	maxObjects = 3
)

// compose makes the message of what take has chosen.
func (q *queue) compose(work []*entry) (*message, error) {
	if !q.target.folds {
		event, body, err := read(q.dir, work[0])
		if err != nil {
			return nil, unreadable{work[0], err}
		}
		if event.Type == incident.TypeOpened && event.ID == event.Data.ID {
			// A former version wrote it. With the incident's ID, the receiver may drop the incident.
			event.ID = incident.EarlyID(event.Data.ID)
			if body, err = json.Marshal(event); err != nil {
				return nil, unreadable{work[0], err}
			}
		}
		return &message{id: work[0].key, event: body}, nil
	}
	groups := group(work)
	main := groups[0]
	event, _, err := read(q.dir, main.latest())
	if err != nil {
		return nil, unreadable{main.latest(), err}
	}
	m := &message{id: main.latest().key, at: time.Now(), subject: main.subject(len(groups) - 1)}
	if len(work) > 1 {
		h := sha256.New()
		for _, e := range work {
			h.Write([]byte(e.key + "\n"))
		}
		m.id += "." + hex.EncodeToString(h.Sum(nil)[:8])
	}
	m.text = cut(main.text(event, q.store)+others(groups[1:]), maxText)
	return m, nil
}

// kindOf is what happened again and again, or once: events of one type with
// one leading fingerprint.
type kindOf struct {
	entries []*entry // in the order of their first errors
	errors  int64
}

// group sorts entries by kind. Incidents stand before early notices, and what
// has more errors before what has less.
func group(work []*entry) []*kindOf {
	byKind := map[string]*kindOf{}
	for _, e := range work {
		k := kind(e, e.kind)
		if byKind[k] == nil {
			byKind[k] = &kindOf{}
		}
		byKind[k].entries = append(byKind[k].entries, e)
		byKind[k].errors = sum.Add(byKind[k].errors, e.errors)
	}
	groups := slices.Collect(maps.Values(byKind))
	for _, g := range groups {
		slices.SortFunc(g.entries, func(a, b *entry) int {
			return cmp.Or(a.first.Compare(b.first), strings.Compare(a.key, b.key))
		})
	}
	slices.SortFunc(groups, func(a, b *kindOf) int {
		x, y := a.latest(), b.latest()
		return cmp.Or(order(a)-order(b), cmp.Compare(b.errors, a.errors), x.first.Compare(y.first),
			strings.Compare(x.key, y.key))
	})
	return groups
}

func order(g *kindOf) int {
	if g.opened() {
		return 1
	}
	return 0
}

func (g *kindOf) latest() *entry { return g.entries[len(g.entries)-1] }

func (g *kindOf) opened() bool { return g.latest().typ == incident.TypeOpened }

// subject says most of it in 60 characters: who, what, how often, where.
func (g *kindOf) subject(more int) string {
	e := g.latest()
	often := count(g.errors, "error", "errors")
	switch {
	case g.opened():
		often = "first error"
	case len(g.entries) > 1:
		often = fmt.Sprintf("%s in %d incidents", often, len(g.entries))
	}
	end := ", " + often + " on " + cut(clean(e.host), 24)
	if more > 0 {
		end += fmt.Sprintf(", and %d more", more)
	}
	begin := cut(clean(e.lead.App), 24) + ": "
	if e.cause != "" {
		return begin + caused(e, maxCaused-len(begin)-len(end)) + end
	}
	if e.lead.Status == 0 && e.lead.Route == "" {
		return begin + end[len(", "):]
	}
	return begin + cut(what(e.lead), max(12, maxSubject-len(begin)-len(end))) + end
}

// caused is the cause of an event with what it answered, in at most so many bytes: the
// cause is cut last.
func caused(e *entry, most int) string {
	short := cut(clean(e.cause), max(24, most))
	request := what(e.lead)
	if request == "" || len(short)+len(" ()")+12 > most {
		return short
	}
	return short + " (" + cut(request, most-len(short)-len(" ()")) + ")"
}

// text tells of a kind by its latest incident.
func (g *kindOf) text(event *incident.Event, store string) string {
	var b strings.Builder
	e, i := g.latest(), &event.Data
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s on %s %s.\n\n", clean(e.lead.App), clean(e.host), g.did())

	c, _ := i.CauseOf(e.kind)
	if c == nil {
		c = i.Cause
	}
	if c != nil {
		row("Cause", "%s", oneLine(c.String(), maxQuote))
		if c.Frame != "" {
			row("In", "%s", cut(clean(c.Frame), maxQuote))
		}
	}
	first, last := g.entries[0].first, e.last
	for _, x := range g.entries {
		if x.last.After(last) {
			last = x.last
		}
	}
	row("Since", "%s", first.UTC().Format("2006-01-02 15:04:05 UTC"))
	if !g.opened() {
		row("Last", "%s (after %s)", last.UTC().Format("2006-01-02 15:04:05 UTC"), last.Sub(first).Round(time.Second))
		row("Errors", "%s", g.counts())
		if len(g.entries) > 1 {
			row("Incidents", "%d", len(g.entries))
		}
		row("Ended", "%s", ended[i.Closed])
	}
	for n, c := range i.Containers {
		if n == maxObjects {
			row("", "and %d more", len(i.Containers)-n)
			break
		}
		name := "Container"
		if n > 0 {
			name = ""
		}
		row(name, "%s", container(c))
	}
	for n, f := range besides(i.Fingerprints, e.lead.ID) {
		if n == maxObjects {
			row("", "and %s more", count(int64(len(i.Fingerprints)-n-1), "kind", "kinds"))
			break
		}
		name := "Also"
		if n > 0 {
			name = ""
		}
		row(name, "%s", also(f))
	}
	if i.Lost > 0 {
		row("Lost", "%s of the log", count(i.Lost, "line", "lines"))
	}
	quote(&b, i)
	how(&b, g, i, store)
	return b.String()
}

func (g *kindOf) did() string {
	f := g.latest().lead
	again := ""
	if len(g.entries) > 1 {
		again = " again and again"
	}
	verb := "answered"
	if g.opened() {
		verb = "has begun to answer"
	}
	if f.Status == 0 {
		if g.opened() {
			return "reports its first error"
		}
		return "reported errors" + again
	}
	s := fmt.Sprintf("%s %d%s", verb, f.Status, again)
	if request := strings.TrimSpace(f.Method + " " + f.Route); request != "" {
		s += " to " + cut(clean(request), 200)
	}
	return s
}

// counts are the errors of a kind by status, most first.
func (g *kindOf) counts() string {
	byStatus := map[string]int64{}
	for _, e := range g.entries {
		for status, n := range e.byStatus {
			byStatus[status] = sum.Add(byStatus[status], n)
		}
	}
	statuses := slices.SortedFunc(maps.Keys(byStatus), func(a, b string) int {
		return cmp.Or(cmp.Compare(byStatus[b], byStatus[a]), strings.Compare(a, b))
	})
	var parts []string
	for _, s := range statuses {
		if s == "0" {
			parts = append(parts, fmt.Sprintf("%d without a status", byStatus[s]))
			continue
		}
		parts = append(parts, fmt.Sprintf("%d × %s", byStatus[s], clean(s)))
	}
	if len(parts) == 0 || len(parts) == 1 && byStatus["0"] > 0 {
		return fmt.Sprint(g.errors)
	}
	return fmt.Sprintf("%d: %s", g.errors, strings.Join(parts, ", "))
}

var ended = map[incident.Closed]string{
	incident.ClosedQuiet:    "no further error for the quiet period",
	incident.ClosedMaxDelay: "not yet: errors went on, and the log was shipped after max-delay",
	incident.ClosedStop:     "its containers stopped, or logfast did",
	incident.ClosedRecover:  "logfast was killed; what is known was read from the log",
}

// quote shows the first line that reported an error with the incident's cause, or else the
// first line that reported an error, and the end of the traceback around it.
func quote(b *strings.Builder, i *incident.Incident) {
	s := i.Shown()
	if s == nil {
		return
	}
	which := "First error"
	if s != &i.Samples[0] {
		which = "An error"
	}
	fmt.Fprintf(b, "\n%s, %s, %s of %s:\n", which, s.Time.UTC().Format("15:04:05.000"), clean(s.Stream),
		clean(s.Container))
	text := oneLine(s.Text, maxQuote)
	if s.Cut && !strings.HasSuffix(text, "…") {
		text += "…"
	}
	fmt.Fprintf(b, "  %s\n", text)
	lines := strings.Split(strings.TrimRight(s.Context, "\n"), "\n")
	if len(lines) > 4 {
		lines = lines[len(lines)-4:]
	}
	for _, l := range lines {
		if l = strings.TrimRight(oneLine(l, maxQuote/4), " "); l != "" && l != text {
			fmt.Fprintf(b, "  | %s\n", l)
		}
	}
}

// how says how to see the log.
func how(b *strings.Builder, g *kindOf, i *incident.Incident, store string) {
	if g.opened() {
		b.WriteString("\nMore follows when its log is in the store. Now:\n")
	} else {
		fmt.Fprintf(b, "\nSee the log:\n  logfast incident %s\n", show.Operand(i.ID))
	}
	name := ""
	if len(i.Containers) > 0 {
		name = i.Containers[0].Name
	}
	if s := i.Shown(); s != nil {
		name = s.Container
	}
	if name != "" && len(name) <= maxQuote {
		until := ""
		if !g.opened() {
			until = " --until " + i.Last.UTC().Add(10*time.Second).Truncate(time.Second).Format(time.RFC3339)
		}
		fmt.Fprintf(b, "  docker logs --since %s%s %s\n",
			i.First.UTC().Add(-10*time.Second).Truncate(time.Second).Format(time.RFC3339), until, show.Operand(name))
	}
	for n, o := range i.Objects {
		if n == maxObjects {
			fmt.Fprintf(b, "  and %s more\n", count(int64(len(i.Objects)-n), "object", "objects"))
			break
		}
		line := ""
		if at := lineIn(i, o.Key); at > 0 {
			line = fmt.Sprintf(", line %d", at)
		}
		fmt.Fprintf(b, "  %s%s%s\n", clean(store), clean(o.Key), line)
	}
}

// lineIn is the line that the message quotes, or else the first that is quoted from the
// object; 0 if there is none.
func lineIn(i *incident.Incident, key string) int64 {
	if s := i.Shown(); s != nil && s.Key == key {
		return s.Line
	}
	for _, s := range i.Samples {
		if s.Key == key && s.Line > 0 {
			return s.Line
		}
	}
	return 0
}

// others lists what the message tells besides its main kind.
func others(groups []*kindOf) string {
	if len(groups) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nSince the last message, too:\n")
	for n, g := range groups {
		if n == maxOthers {
			fmt.Fprintf(&b, "  and %d more\n", len(groups)-n)
			break
		}
		fmt.Fprintf(&b, "  %s, logfast incident %s\n", g.subject(0), show.Operand(g.latest().id))
	}
	return b.String()
}

// what is a fingerprint in words.
func what(f incident.Fingerprint) string {
	status := "error"
	if f.Status != 0 {
		status = fmt.Sprint(f.Status)
	}
	return clean(strings.Join(slices.DeleteFunc([]string{status, f.Method, f.Route},
		func(s string) bool { return s == "" }), " "))
}

// besides returns all fingerprints except the leading one, which the first line has.
func besides(all []incident.Fingerprint, lead string) []incident.Fingerprint {
	return slices.DeleteFunc(slices.Clone(all), func(f incident.Fingerprint) bool { return f.ID == lead })
}

func also(f incident.Fingerprint) string {
	return fmt.Sprintf("%s: %s, %s", clean(f.App), cut(what(f), 80), count(f.Errors, "error", "errors"))
}

func container(c incident.Container) string {
	s := clean(c.Name)
	if len(c.ID) >= 12 {
		s += " (" + clean(c.ID[:12]) + ")"
	}
	if c.Image != "" {
		s += ", image " + clean(c.Image)
	}
	if c.Group != "" {
		s += ", group " + clean(c.Group)
	}
	return cut(s, 300)
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// colour is a terminal's control sequence.
var colour = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// clean keeps what came from outside to one line of printable text.
func clean(s string) string { return oneLine(s, 1<<10) }

// oneLine makes a text one line of printable characters, of at most so many
// bytes.
func oneLine(s string, most int) string {
	if len(s) > 4*most {
		s = s[:4*most]
	}
	s = colour.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "")
	s = strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	return cut(strings.TrimRight(s, " "), most)
}

// cut shortens a text to at most so many bytes, whole characters, with a mark.
func cut(s string, most int) string {
	const mark = "…"
	if len(s) <= most {
		return s
	}
	most -= len(mark)
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + mark
}
