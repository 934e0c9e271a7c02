package plugintree

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/logfast/logfast/internal/limit"
)

// Settings returns the names of what docker plugin set may set on a plugin made
// of the directory: variables, and mounts as NAME.source.
func Settings(dir string) ([]string, error) {
	path := filepath.Join(dir, "config.json")
	text, err := limit.ReadFile(path, maxConfig)
	if err != nil {
		return nil, err
	}
	type setting struct {
		Name     string
		Settable []string
	}
	var config struct{ Env, Mounts []setting }
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var names []string
	for _, v := range config.Env {
		if len(v.Settable) > 0 {
			names = append(names, v.Name)
		}
	}
	for _, m := range config.Mounts {
		if len(m.Settable) > 0 {
			names = append(names, m.Name+".source")
		}
	}
	return names, nil
}

// SameConfig reports whether the config.json of the directory says what installed
// says, an installed plugin's configuration as docker plugin inspect prints it.
// Where a mount comes from does not count: docker plugin set changes it.
func SameConfig(dir string, installed []byte) (bool, error) {
	path := filepath.Join(dir, "config.json")
	text, err := limit.ReadFile(path, maxConfig)
	if err != nil {
		return false, err
	}
	var a, b any
	if err := json.Unmarshal(text, &a); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	if err := json.Unmarshal(installed, &b); err != nil {
		return false, fmt.Errorf("the installed plugin's configuration: %w", err)
	}
	return reflect.DeepEqual(plain(a), plain(b)), nil
}

// plain takes away the ways in which Docker writes a configuration differently:
// the case of names, members that are empty, and what it adds. nil is empty.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			name = strings.ToLower(name)
			if member = plain(member); member != nil && name != "source" && name != "rootfs" &&
				name != "dockerversion" {
				out[name] = member
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case string:
		if v == "" {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	}
	return value
}
