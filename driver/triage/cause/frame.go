package cause

import (
	"regexp"
	"strings"
)

// appPath returns the path of a source file of the application, without the directory in
// which the application is installed, so that it is the same on all hosts.
func appPath(path string) string {
	path = strings.TrimPrefix(path, "file://")
	for _, scheme := range []string{"webpack-internal:///", "webpack:///", "ext:"} {
		path = strings.TrimPrefix(path, scheme)
	}
	path = strings.ReplaceAll(path, `\`, "/")
	if i := strings.Index(path, "/releases/"); i >= 0 {
		if _, rest, ok := strings.Cut(path[i+len("/releases/"):], "/"); ok {
			return rest
		}
	}
	if _, rest, ok := strings.Cut(path, "/current/"); ok {
		return rest
	}
	if len(path) > 2 && path[1] == ':' && path[2] == '/' { // C:/
		path = path[2:]
	}
	if !strings.HasPrefix(path, "/") {
		for strings.HasPrefix(path, "./") || strings.HasPrefix(path, "(") {
			path = strings.TrimPrefix(strings.TrimPrefix(path, "("), "./")
		}
		return path
	}
	for _, root := range roots {
		if rest, ok := strings.CutPrefix(path, root); ok && rest != "" {
			return rest
		}
	}
	if m := home.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	if m := rootDir.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	return strings.Join(parts[max(0, len(parts)-3):], "/")
}

// roots are where images have their applications. A longer one stands before its parent.
var roots = []string{
	"/usr/src/app/", "/usr/src/", "/usr/app/", "/var/www/html/", "/var/www/", "/var/task/", "/opt/app/", "/app/",
	"/src/", "/code/", "/srv/app/", "/srv/", "/workspace/", "/build/", "/root/", "/rails/",
	"/opt/", "/application/", "/project/",
}

var (
	home    = regexp.MustCompile(`^/home/[^/]+/(.+)$`)
	rootDir = regexp.MustCompile(`^/.*?/(?:app|src|code|html|www|srv)/(.+)$`)
)

// in describes a frame of a language whose functions have no qualified names.
func in(function, path string) string {
	if path == "" {
		return function
	}
	if function == "" {
		return path
	}
	return function + " (" + path + ")"
}

// hasAny reports whether s has one of the parts.
func hasAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// beginsAny reports whether s begins with one of the prefixes.
func beginsAny(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// typeName returns a type that a program has printed, "" if it is a text of another kind.
func typeName(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > MaxType || strings.ContainsAny(s, "\n\t\x00") {
		return ""
	}
	return s
}

// splitHead divides "Type: message". The type is a name with parts that are separated by
// the bytes in seps.
func splitHead(s, seps string) (typ, message string, ok bool) {
	i := 0
	for i < len(s) && (isWord(s[i]) || s[i] >= 0x80 || strings.IndexByte(seps, s[i]) >= 0) {
		i++
	}
	typ = s[:i]
	if rest := s[i:]; i > 0 && !isDigit(s[0]) && strings.TrimSpace(rest) != "" {
		if !strings.HasPrefix(rest, ":") {
			return "", "", false
		}
		message = strings.TrimPrefix(rest[1:], " ")
	}
	for len(typ) > 0 && strings.IndexByte(seps, typ[len(typ)-1]) >= 0 {
		typ = typ[:len(typ)-1]
	}
	return typ, message, typ != "" && isLetterOr(typ[0])
}

func isLetterOr(c byte) bool { return isLetter(c) || c == '_' || c >= 0x80 || c == '\\' }

// lastPart is the part of a qualified name behind the last dot.
func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// isFailureName reports whether the last part of a qualified name is that of an exception.
func isFailureName(name string) bool {
	name = strings.TrimRight(name, "$")
	for _, suffix := range []string{"Error", "Exception", "Throwable", "Failure", "Fault"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// join is the text of lines, without spaces and empty lines around it.
func join(lines []string) string { return strings.TrimSpace(strings.Join(lines, "\n")) }
