package spool

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/store"
)

// The names in an object's metadata of what is kept of a container's labels and of its
// environment: JSON objects of strings, in ASCII.
const (
	MetaLabels = "labels"
	MetaEnv    = "env"
)

// addFields adds a JSON object of fields to an object's metadata. What does not fit
// is left out, by the order of the names.
func addFields(meta map[string]string, name string, fields map[string]string) {
	free := store.MaxMetadata - len(name) - len("{}")
	for name, value := range meta {
		free -= len(name) + len(value)
	}
	var members []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		member := asciiJSON(field) + ":" + asciiJSON(fields[field])
		if len(member)+1 <= free {
			members = append(members, member)
			free -= len(member) + 1
		}
	}
	if members != nil {
		meta[name] = "{" + strings.Join(members, ",") + "}"
	}
}

// asciiJSON is a string in JSON, in printable ASCII alone.
func asciiJSON(s string) string {
	quoted, err := json.Marshal(strings.ToValidUTF8(s, "\uFFFD"))
	if err != nil {
		return `""` // a string always has JSON
	}
	var b strings.Builder
	for _, r := range string(quoted) {
		switch {
		case r >= ' ' && r <= '~':
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			r -= 0x10000
			fmt.Fprintf(&b, "\\u%04x\\u%04x", 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return b.String()
}

// ReadFields reads what [Meta.Metadata] has written below [MetaLabels] or [MetaEnv].
func ReadFields(metadata string) (fields map[string]string, err error) {
	if metadata == "" {
		return nil, nil
	}
	if len(metadata) > store.MaxMetadata {
		return nil, fmt.Errorf("it has %d bytes", len(metadata))
	}
	if err := json.Unmarshal([]byte(metadata), &fields); err != nil {
		return nil, fmt.Errorf("%.80q is not a JSON object of strings: %w", metadata, err)
	}
	return fields, nil
}
