package detect

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/logfast/logfast/driver/triage/expression"
)

// exclude is which paths never count. The nil exclude has none.
type exclude struct {
	globs [][][]byte // each split at its stars
	re    *expression.Regexp
}

// ParseExclude says what is wrong with a list of paths, if anything is: globs
// split by commas, where "*" stands for any text, "/" too; or, behind a "~",
// one RE2 expression. Globs match a whole path, without its query.
//
//	/healthz,/static/*      ~^/(healthz|static/)
//
// An empty list has none.
func ParseExclude(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	_, err := parseExclude(s)
	return s, err
}

func parseExclude(s string) (*exclude, error) {
	if expr, ok := strings.CutPrefix(s, "~"); ok {
		re, err := compile(expr)
		if err != nil {
			return nil, err
		}
		return &exclude{re: re}, nil
	}
	if globs := strings.Count(s, ",") + 1; len(s) > maxExclude || globs > maxGlobs {
		return nil, fmt.Errorf("%d paths in %d bytes; allowed are %d paths in %d bytes: join them with *, "+
			"such as /static/*", globs, len(s), maxGlobs, maxExclude)
	}
	e := &exclude{}
	for _, glob := range strings.Split(s, ",") {
		glob = strings.TrimSpace(glob)
		if glob == "" || glob[0] != '/' && glob[0] != '*' {
			return nil, fmt.Errorf("%q: %w", glob, errGlob)
		}
		e.globs = append(e.globs, bytes.Split([]byte(glob), []byte("*")))
	}
	return e, nil
}

// The bounds of a list of globs, each of which is compared with each path, and of
// a path: what is behind is not compared, so only a glob that ends in * can match.
const (
	maxGlobs   = 200
	maxExclude = 8 << 10 // bytes
	maxPath    = 8 << 10 // bytes
)

var errGlob = errors.New("a path begins with / or *: write globs such as /healthz,/static/*, or ~ and an " +
	"RE2 expression")

func (e *exclude) has(path []byte) bool {
	if e == nil || len(path) == 0 {
		return false
	}
	path = path[:min(len(path), maxPath)]
	if e.matches(path) {
		return true
	}
	if isPlain(path) {
		return false
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	*buf = plainPath((*buf)[:0], path)
	return e.matches(*buf)
}

// plainPath appends a path as its server knows it to dst: without JSON's
// escapes ("\/"), with one slash for several, and without a slash at the end.
func plainPath(dst, path []byte) []byte {
	from := len(dst)
	for i, c := range path {
		if c == '\\' && i+1 < len(path) && path[i+1] == '/' || c == '/' && len(dst) > from && dst[len(dst)-1] == '/' {
			continue
		}
		dst = append(dst, c)
	}
	if n := len(dst); n > from+1 && dst[n-1] == '/' {
		dst = dst[:n-1]
	}
	return dst
}

// isPlain reports whether plainPath would change nothing.
func isPlain(path []byte) bool {
	return !bytes.Contains(path, []byte(`\/`)) && !bytes.Contains(path, []byte("//")) &&
		(len(path) == 1 || path[len(path)-1] != '/')
}

// matches compares a path as it is written.
func (e *exclude) matches(path []byte) bool {
	if e.re != nil {
		return e.re.Match(path)
	}
	for _, g := range e.globs {
		if globMatch(g, path) {
			return true
		}
	}
	return false
}

// globMatch matches the parts between stars, each where it first fits.
func globMatch(parts [][]byte, path []byte) bool {
	path, ok := bytes.CutPrefix(path, parts[0])
	if !ok || len(parts) == 1 {
		return ok && len(path) == 0
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := bytes.Index(path, part)
		if i < 0 {
			return false
		}
		path = path[i+len(part):]
	}
	return bytes.HasSuffix(path, parts[last])
}
