package spool

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/format/record"
)

// Reading keys: what a template's key says of its segment, and which prefix
// the keys of certain segments share.

// keyPatterns are what the placeholders with a shape of their own make. The
// others make any name.
var keyPatterns = map[string]string{
	"dt":     `\d{4,}-\d{2}-\d{2}`,
	"time":   `\d{8}T\d{6}\.\d{6}Z`,
	"unix":   `-?\d+`,
	"seq":    `\d{6,18}`,
	"reason": `error|schedule|size|stop|manual|recover`,
	"id":     `[0-9a-f]{12}`,
}

// beside ends the name, before its extensions, of an object whose template's key
// another object had: what [KeyBeside] adds. It is no part of the template's key.
var beside = regexp.MustCompile(`-[0-9A-Za-z_.-]{1,12}-\d{6,18}-[0-9a-f]{16}(-\d{1,9})?$`)

// splitName divides a key before the extensions of its name.
func splitName(key string) (name, ext string) {
	dir, base := path.Split(key)
	name, ext, dotted := strings.Cut(base, ".log")
	if dotted {
		ext = ".log" + ext
	}
	return dir + name, ext
}

// KeyBeside returns the next key to try for a segment when another object has
// m.Key. It puts the container, the number and the text's sum into the name, before
// its extensions, so that two segments do not share it. If another object has that
// key too, it appends -2, then -3 and so on. The keys of a segment are all different,
// and always the same in the same order: m.Key says how far the segment has come.
func KeyBeside(m *Meta) string {
	name, ext := splitName(m.Key)
	own := fmt.Sprintf("-%s-%06d-%.16s", FileName(m.Stream.ShortID()), m.Seq, m.SHA256)
	template, count, found := cutLast(name, own)
	if !found {
		return name + own + ext
	}
	n := 1
	if count != "" {
		var err error
		if n, err = strconv.Atoi(strings.TrimPrefix(count, "-")); err != nil || count[0] != '-' || n < 2 {
			return name + own + ext // the template's own text, not a count
		}
	}
	return fmt.Sprintf("%s%s-%d%s", template, own, n+1, ext)
}

// cutLast is strings.Cut around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// KeyReader is the inverse of a KeyTemplate. It may be used by several
// goroutines.
type KeyReader struct {
	template *KeyTemplate
	pattern  *regexp.Regexp
	certain  []bool // by placeholder: nothing else in the key can be taken for it
}

// Reader returns the template's inverse.
func (k *KeyTemplate) Reader() *KeyReader {
	r := &KeyReader{template: k, certain: make([]bool, len(k.names))}
	var b strings.Builder
	b.WriteString("^")
	for i, text := range k.text {
		b.WriteString(regexp.QuoteMeta(text))
		if i == len(k.names) {
			break
		}
		shape, shaped := keyPatterns[k.names[i]]
		if !shaped {
			shape = `[0-9A-Za-z_.-]+`
		}
		r.certain[i] = shaped || k.apart(i)
		b.WriteString("(" + shape + ")")
	}
	b.WriteString("$")
	r.pattern = regexp.MustCompile(b.String())
	return r
}

// apart reports whether a character that no name has stands between the i-th
// placeholder and every other one that makes any name.
func (k *KeyTemplate) apart(i int) bool {
	free := func(j int) bool { _, shaped := keyPatterns[k.names[j]]; return !shaped }
	for j := i + 1; j < len(k.names) && !wall(k.text[j]); j++ {
		if free(j) {
			return false
		}
	}
	for j := i - 1; j >= 0 && !wall(k.text[j+1]); j-- {
		if free(j) {
			return false
		}
	}
	return true
}

// wall reports whether a text holds a character that no name has.
func wall(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool {
		inName := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("_.-", c)
		return !inName
	})
}

// Read returns what a key says of its segment: a Meta in which names are as
// FileName leaves them, and what the key does not say is zero. ok is false where
// the template did not make the key.
func (r *KeyReader) Read(key string) (m Meta, ok bool) {
	name, ext := splitName(key)
	groups := r.pattern.FindStringSubmatch(beside.ReplaceAllString(name, "") + ext)
	if groups == nil {
		return m, false
	}
	var day time.Time
	for i, name := range r.template.names {
		value := groups[i+1]
		var err error
		switch name {
		case "dt":
			day, err = time.Parse("2006-01-02", value)
		case "time":
			m.First, err = time.Parse(Stamp, value)
		case "unix":
			var unix int64
			if unix, err = strconv.ParseInt(value, 10, 64); err == nil && m.First.IsZero() {
				m.First = time.Unix(unix, 0).UTC()
			}
		case "seq":
			m.Seq, err = strconv.Atoi(value)
		case "reason":
			m.Reason = Reason(value)
		case "id":
			m.Stream.ID = value
		default:
			if value != "-" && r.certain[i] {
				m.Stream.set(name, value)
			}
		}
		if err != nil {
			return Meta{}, false
		}
	}
	if m.First.IsZero() {
		m.First = day
	}
	if !record.Sane(m.First) {
		return Meta{}, false // no clock of a host had that time
	}
	m.Key = key
	return m, true
}

// set sets what a placeholder that makes any name stands for.
func (s *Stream) set(placeholder, value string) {
	put := func(fields *map[string]string, name string) {
		if *fields == nil {
			*fields = map[string]string{}
		}
		(*fields)[name] = value
	}
	switch placeholder {
	case "host":
		s.Host = value
	case "app":
		s.App = value
	case "group":
		s.Group = value
	case "name":
		s.Name = value
	default:
		if name, ok := strings.CutPrefix(placeholder, labelPlaceholder); ok {
			put(&s.Labels, name)
		} else if name, ok := strings.CutPrefix(placeholder, envPlaceholder); ok {
			put(&s.Env, name)
		}
	}
}

// Says reports whether keys tell what a placeholder stands for.
func (r *KeyReader) Says(placeholder string) bool {
	for i, name := range r.template.names {
		if name == placeholder && r.certain[i] {
			return true
		}
	}
	return false
}

// Prefix is what begins the keys of all segments for which the placeholders
// have the given values, as Render would put them.
func (r *KeyReader) Prefix(known map[string]string) string {
	var b strings.Builder
	for i, text := range r.template.text {
		b.WriteString(text)
		if i == len(r.template.names) {
			break
		}
		value, ok := known[r.template.names[i]]
		if !ok {
			break
		}
		b.WriteString(value)
	}
	return b.String()
}

// LatestLine bounds the time of a segment's last line where only its first is
// known: the end of that UTC day. Without a first time it is the latest time that
// nanoseconds since 1970 can hold, in the year 2262.
func LatestLine(first time.Time) time.Time {
	if first.IsZero() {
		return time.Unix(0, math.MaxInt64).UTC()
	}
	return first.UTC().Truncate(24 * time.Hour).Add(24*time.Hour - 1)
}
