package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/logfast/logfast/internal/suggest"
)

// Container is one that may be named on a command line.
type Container struct{ Name, ID string }

// Resolve finds the containers that somebody named: by name, id or the
// beginning of an id, as docker does. Nobody named is none. A name may be that
// of several, of which the older ones have ended.
func Resolve(asked []string, known []Container) ([]Container, error) {
	found := map[Container]bool{}
	for _, word := range asked {
		word := strings.TrimPrefix(word, "/")
		matches := slices.DeleteFunc(slices.Clone(known),
			func(c Container) bool { return c.Name != word && c.ID != word })
		if len(matches) == 0 && word != "" {
			matches = slices.DeleteFunc(slices.Clone(known),
				func(c Container) bool { return !strings.HasPrefix(c.ID, word) })
			ids := map[string]bool{}
			for _, c := range matches {
				ids[c.ID] = true
			}
			if len(ids) > 1 {
				return nil, fmt.Errorf("%q begins the ids of %d containers: type more of it", word, len(ids))
			}
		}
		if len(matches) == 0 {
			return nil, unknown(word, known)
		}
		for _, c := range matches {
			found[c] = true
		}
	}
	return slices.SortedFunc(maps.Keys(found),
		func(a, b Container) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) }), nil
}

func unknown(word string, known []Container) error {
	names := map[string]bool{}
	for _, c := range known {
		names[c.Name] = true
	}
	sorted := slices.Sorted(maps.Keys(names))
	if len(sorted) == 0 {
		return fmt.Errorf("no container %q: none writes to logfast, and nothing waits for the store", word)
	}
	return fmt.Errorf("no container %q writes to logfast%s; logfast status lists them", word,
		suggest.Nearest(word, sorted))
}
