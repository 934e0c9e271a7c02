package spool

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/internal/suggest"
)

// DefaultKey is partitioned as Hive does it, so that query engines prune by
// day, host and app; the time comes first in the name, so that a listing is in
// time order.
const DefaultKey = settings.DefaultKey

// KeyTemplate makes the key of a segment's object. Its text is taken as it is,
// but for placeholders in braces.
type KeyTemplate struct {
	text  []string // text[0] field[0] text[1] field[1] … text[n]
	vars  []func(*Meta) string
	names []string // of the placeholders, as vars
}

// The placeholders {label:NAME} and {env:NAME} begin so. They stand for what is kept of
// a container's labels and of its environment.
const (
	labelPlaceholder = "label:"
	envPlaceholder   = "env:"
)

// keyVar returns what a placeholder stands for.
func keyVar(placeholder string) (value func(*Meta) string, known bool) {
	if name, ok := strings.CutPrefix(placeholder, labelPlaceholder); ok && name != "" {
		return func(m *Meta) string { return FileName(m.Stream.Labels[name]) }, true
	}
	if name, ok := strings.CutPrefix(placeholder, envPlaceholder); ok && name != "" {
		return func(m *Meta) string { return FileName(m.Stream.Env[name]) }, true
	}
	value, known = keyVars[placeholder]
	return value, known
}

// Labels returns the names of the labels for which the template has a placeholder.
func (k *KeyTemplate) Labels() []string { return k.namesAfter(labelPlaceholder) }

// Env returns the names of the environment variables for which the template has a
// placeholder.
func (k *KeyTemplate) Env() []string { return k.namesAfter(envPlaceholder) }

func (k *KeyTemplate) namesAfter(kind string) (names []string) {
	for _, placeholder := range k.names {
		if name, ok := strings.CutPrefix(placeholder, kind); ok {
			names = append(names, name)
		}
	}
	return names
}

var keyVars = map[string]func(*Meta) string{
	"dt":     func(m *Meta) string { return m.First.UTC().Format("2006-01-02") },
	"time":   func(m *Meta) string { return m.First.UTC().Format(Stamp) },
	"unix":   func(m *Meta) string { return fmt.Sprint(m.First.Unix()) },
	"seq":    func(m *Meta) string { return fmt.Sprintf("%06d", m.Seq) },
	"reason": func(m *Meta) string { return string(m.Reason) },
	"host":   func(m *Meta) string { return FileName(m.Stream.Host) },
	"app":    func(m *Meta) string { return FileName(m.Stream.App) },
	"group":  func(m *Meta) string { return FileName(m.Stream.Group) },
	"name":   func(m *Meta) string { return FileName(m.Stream.Name) },
	"id":     func(m *Meta) string { return FileName(m.Stream.ShortID()) },
}

// keyVarNames lists the placeholders in the order of the documentation.
var keyVarNames = []string{"dt", "time", "unix", "seq", "reason", "host", "app", "group", "name", "id"}

// ParseKeyTemplate reads a template such as DefaultKey. It refuses unknown
// placeholders, names that the stores refuse, and a template in which nothing
// tells one segment from the next.
func ParseKeyTemplate(s string) (*KeyTemplate, error) {
	k := &KeyTemplate{}
	unique := false
	rest := s
	for {
		text, after, found := strings.Cut(rest, "{")
		if strings.Contains(text, "}") {
			return nil, fmt.Errorf("key template %q: a } without its {", s)
		}
		k.text = append(k.text, text)
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return nil, fmt.Errorf("key template %q: a { without its }", s)
		}
		v, known := keyVar(name)
		if !known {
			return nil, fmt.Errorf("key template %q: unknown placeholder {%s}%s; allowed are {%s}, "+
				"{label:NAME}, {env:NAME}",
				s, name, suggest.Nearest(name, keyVarNames), strings.Join(keyVarNames, "}, {"))
		}
		unique = unique || name == "time" || name == "seq" || name == "unix"
		k.vars, k.names = append(k.vars, v), append(k.names, name)
		rest = tail
	}
	if !unique {
		return nil, fmt.Errorf("key template %q: needs {time}, {unix} or {seq}, or every segment would have one key", s)
	}
	if err := k.check(); err != nil {
		return nil, fmt.Errorf("key template %q: %w", s, err)
	}
	return k, nil
}

// maxKey bounds a key, in bytes: S3 takes 1024, and [KeyBeside] adds up to 64 if
// another object has the key.
const maxKey = 1024 - 64

// check refuses text that can make a key which a store refuses. What the
// placeholders put in is harmless, but takes room.
func (k *KeyTemplate) check() error {
	text := strings.Join(k.text, "")
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("it may have no control characters and must be UTF-8")
	}
	// Each placeholder at its longest. A name may as well be short, but never
	// empty.
	long := strings.Repeat("x", 4096)
	m := &Meta{
		Reason: Schedule, Seq: math.MaxInt, First: time.Unix(math.MinInt32, 0),
		Stream: Stream{
			ID: long, Name: long, Host: long, App: long, Group: long,
			Labels: map[string]string{}, Env: map[string]string{},
		},
	}
	for _, name := range k.Labels() {
		m.Stream.Labels[name] = long
	}
	for _, name := range k.Env() {
		m.Stream.Env[name] = long
	}
	key := k.Render(m)
	if len(key) > maxKey {
		return fmt.Errorf("with the longest of names a key would have %d bytes, more than %d", len(key), maxKey)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || strings.HasPrefix(part, ".") {
			return errors.New(`a part between slashes may not be empty or begin with "."`)
		}
	}
	return nil
}

// Render makes the key of the segment that m describes.
func (k *KeyTemplate) Render(m *Meta) string {
	var b strings.Builder
	for i, text := range k.text {
		b.WriteString(text)
		if i < len(k.vars) {
			b.WriteString(k.vars[i](m))
		}
	}
	return b.String()
}
