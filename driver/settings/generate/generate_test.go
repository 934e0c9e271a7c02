package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGenerated_FilesAreOfTheTable fails if a generated file was edited, or the table
// without go generate.
func TestGenerated_FilesAreOfTheTable(t *testing.T) {
	for name, generate := range files {
		old, err := os.ReadFile("../../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := generate(string(old))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(strings.Split(string(old), "\n"), strings.Split(text, "\n")); d != "" {
			t.Errorf("%s is not what the table says: run go generate ./driver/settings\n%s", name, d)
		}
	}
}

// TestGenerated_NeedsItsMarks fails on a file in which it would find no place.
func TestGenerated_NeedsItsMarks(t *testing.T) {
	for name, generate := range files {
		if _, err := generate("{}\n"); err == nil {
			t.Errorf("%s: no error for a file without the place for what is generated", name)
		}
	}
}
