package detect

import (
	"slices"
	"strings"
	"testing"
)

// listedRule is a rule of any list.
type listedRule struct {
	list               string
	name, doc, example string
	finds              Match
	// without runs judge while detection lacks the rule.
	without func(judge func())
}

// everyRule returns the rules of all lists, list by list.
func everyRule() []listedRule {
	unchanged := func() {}
	return slices.Concat(
		listed("heads", &headRules, unchanged),
		listed("columns", &columnRules, unchanged),
		listed("lines", &lineRules, func() { lineReaders = byFirst(lineRules) }),
		listed("spellings", &spellingRules, unchanged),
		listed("words", &wordRules, func() { wordReaders = byKind(wordRules) }),
		listed("requests", &requestRules, unchanged),
		listed("client", &clientRules, unchanged),
		listed("keys", &keyRules, func() { keyReaders = byKey(keyRules) }),
		listed("phrases", &phraseRules, unchanged),
		listed("implied", &impliedRules, unchanged),
	)
}

func listed[F any](list string, rules *[]rule[F], changed func()) (all []listedRule) {
	for i, r := range *rules {
		all = append(all, listedRule{list, r.name, r.doc, r.example, r.finds, func(judge func()) {
			whole := *rules
			defer func() {
				*rules = whole
				changed()
			}()
			*rules = slices.Delete(slices.Clone(whole), i, i+1)
			changed()
			judge()
		}})
	}
	return all
}

// TestRules_Examples judges each rule's example with the rule and without it.
func TestRules_Examples(t *testing.T) {
	names := map[string]bool{}
	for _, r := range everyRule() {
		if key := r.list + ": " + r.name; r.name == "" || names[key] {
			t.Errorf("%s: the name is not unique", key)
		} else {
			names[key] = true
		}
		if !strings.HasSuffix(r.doc, ".") {
			t.Errorf("%s: %s: the doc is no sentence: %q", r.list, r.name, r.doc)
		}
		line := []byte(r.example)
		m := Auto{}.Explain(line)
		if m.Status != r.finds.Status || m.Rule != r.finds.Rule {
			t.Errorf("%s: %s: %d by %q, want %d by %q: %s", r.list, r.name, m.Status, m.Rule, r.finds.Status, r.finds.Rule, line)
		}
		agree(t, line)
		r.without(func() {
			if m := (Auto{}).Explain(line); m.Status == r.finds.Status && m.Rule == r.finds.Rule {
				t.Errorf("%s: %s: the example is judged so without the rule too: %s", r.list, r.name, line)
			}
		})
	}
}
