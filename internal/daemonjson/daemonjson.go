// Package daemonjson changes the logging driver in an engine's daemon.json and
// leaves every other byte of it as it is: order, indentation and values are the
// operator's.
package daemonjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The members that say where containers' output goes.
const (
	driverKey = "log-driver"
	optsKey   = "log-opts"
)

// Merge returns the text with driver as the daemon-wide logging driver and
// without daemon-wide log-opts: those were another driver's, and with any of
// them an engine does not start whose driver is missing. An empty text is an
// empty object.
func Merge(text []byte, driver string) ([]byte, error) {
	quoted, err := json.Marshal(driver)
	if err != nil {
		return nil, err
	}
	return change(text, map[string][]byte{driverKey: quoted, optsKey: nil})
}

// Restore returns the text with the logging driver and log-opts that before
// has, or with neither where before has none.
func Restore(text, before []byte) ([]byte, error) {
	members, _, err := parse(before)
	if err != nil {
		return nil, fmt.Errorf("the file from before: %w", err)
	}
	values := map[string][]byte{driverKey: nil, optsKey: nil}
	for _, m := range members {
		if _, ours := values[m.key]; ours {
			values[m.key] = before[m.from:m.end]
		}
	}
	return change(text, values)
}

// Driver returns the daemon-wide logging driver, empty where none is named, and
// the names of daemon-wide log-opts.
func Driver(text []byte) (driver string, opts []string, err error) {
	members, _, err := parse(text)
	if err != nil {
		return "", nil, err
	}
	for _, m := range members {
		var named map[string]json.RawMessage
		switch value := text[m.from:m.end]; m.key {
		case driverKey:
			err = json.Unmarshal(value, &driver)
		case optsKey:
			err = json.Unmarshal(value, &named)
		}
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", m.key, err)
		}
		for name := range named {
			opts = append(opts, name)
		}
	}
	slices.Sort(opts)
	return driver, opts, nil
}

// member is a name of the outermost object; offsets are in bytes of the text.
type member struct {
	key       string
	at        int // of the key's quote
	from, end int // of the value
}

// parse finds the members, and where the object's brace ends. A text without
// any is read as {}, with brace 0.
func parse(text []byte) (members []member, brace int, err error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, 0, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, 0, errors.Join(errors.New("it is no JSON object: correct it, or move it away"), err)
	}
	brace = int(d.InputOffset())
	for d.More() {
		at := int(d.InputOffset())
		at += bytes.IndexByte(text[at:], '"')
		key, err := d.Token()
		if err != nil {
			return nil, 0, fmt.Errorf("correct its JSON: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, 0, fmt.Errorf("correct its JSON at %v: %w", key, err)
		}
		end := int(d.InputOffset())
		m := member{fmt.Sprint(key), at, end - len(value), end}
		if slices.ContainsFunc(members, func(other member) bool { return strings.EqualFold(other.key, m.key) }) {
			return nil, 0, fmt.Errorf("%q is there twice: leave one", m.key)
		}
		members = append(members, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, 0, fmt.Errorf("correct its JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, 0, errors.New("something follows the JSON object: remove it")
	}
	return members, brace, nil
}

// change gives members new values; nil takes a member away.
func change(text []byte, values map[string][]byte) ([]byte, error) {
	members, _, err := parse(text)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}\n")
	}
	// From the last to the first, so that offsets before stay true.
	for i, m := range slices.Backward(members) {
		value, ours := values[m.key]
		switch {
		case !ours:
		case value != nil:
			text = splice(text, m.from, m.end, value)
		case len(members) == 1:
			text = []byte("{}\n")
		case i == 0: // with the comma behind
			text = splice(text, m.at, members[1].at, nil)
			shift := members[1].at - m.at
			for j := range members[1:] {
				members[j+1].at, members[j+
					1].from, members[j+1].end = members[j+1].at-shift, members[j+1].from-shift, members[j+1].end-shift
			}
		default: // with the comma before
			text = splice(text, members[i-1].end, m.end, nil)
		}
		if ours && value == nil {
			members = slices.Delete(slices.Clone(members), i, i+1)
		}
	}
	for _, key := range []string{optsKey, driverKey} { // each before the others: the driver comes first
		if value := values[key]; value != nil &&
			!slices.ContainsFunc(members, func(m member) bool { return m.key == key }) {
			if text, err = insert(text, key, value); err != nil {
				return nil, err
			}
		}
	}
	return text, nil
}

// insert puts a member before all others, indented as they are.
func insert(text []byte, key string, value []byte) ([]byte, error) {
	members, brace, err := parse(text)
	if err != nil {
		return nil, err
	}
	line := fmt.Sprintf("%q: %s", key, value)
	if len(members) == 0 {
		return []byte("{\n  " + line + "\n}\n"), nil
	}
	space := text[brace:members[0].at]
	return splice(text, members[0].at, members[0].at, []byte(line+","+string(separator(space)))), nil
}

// separator is what stands between two members: what stands before the first.
func separator(space []byte) []byte {
	if len(space) == 0 {
		return []byte{' '}
	}
	return space
}

// splice returns text with text[from:end] replaced.
func splice(text []byte, from, end int, with []byte) []byte {
	return slices.Concat(text[:from], with, text[end:])
}
