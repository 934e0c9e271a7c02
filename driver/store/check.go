package store

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits that hold for every [Store].
const (
	MaxKey      = 1024 // bytes in a key: S3's limit
	MaxMetadata = 1900 // bytes in all names and values: of S3's 2048 the store needs some itself
)

// CheckKey returns an error that wraps [ErrInvalid] and says why no store can
// have an object with this key, or nil.
func CheckKey(key string) error {
	invalid := func(why string) error { return fmt.Errorf("%w: key %q %s", ErrInvalid, key, why) }
	switch {
	case len(key) > MaxKey:
		return invalid(fmt.Sprintf("has %d bytes, more than %d", len(key), MaxKey))
	case !utf8.ValidString(key):
		return invalid("is not UTF-8")
	case strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return invalid("has a control character")
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return invalid(fmt.Sprintf("has %q between slashes", segment))
		}
	}
	return nil
}

// Check returns an error that wraps [ErrInvalid] and says why no store can keep
// these attributes, or nil. The size is not negative; the content type is not
// empty; a metadata name is made of a-z, 0-9, "-", "_" and ".", and a value of
// printable ASCII that neither starts nor ends with a space: what an HTTP header
// carries unchanged. At most [MaxMetadata] bytes in all.
func (a Attributes) Check() error {
	if a.Size < 0 {
		return fmt.Errorf("%w: its size is %d bytes", ErrInvalid, a.Size)
	}
	if a.ContentType == "" || !isHeaderValue(a.ContentType) {
		return fmt.Errorf("%w: content type %q", ErrInvalid, a.ContentType)
	}
	total := 0
	for name, value := range a.Metadata {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }) {
			return fmt.Errorf("%w: metadata name %q", ErrInvalid, name)
		}
		if !isHeaderValue(value) {
			return fmt.Errorf("%w: metadata %s has the value %q", ErrInvalid, name, value)
		}
		total += len(name) + len(value)
	}
	if total > MaxMetadata {
		return fmt.Errorf("%w: its metadata has %d bytes, more than %d", ErrInvalid, total, MaxMetadata)
	}
	return nil
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r)
}

func isHeaderValue(s string) bool {
	return s == strings.Trim(s, " ") && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
