package incident

import (
	"strings"
	"testing"
)

func TestRoutes_Patterns(t *testing.T) {
	r, wrong := ParseRoutes(`# users
/users/{slug}/
/users/me
/users/{slug}/x
POST /u/{name}/posts/{n}
/u/*/posts/{id}
/files/**
/late/x
/late/**
users/x
/a/{b
/a//b
/a/**/b
GET
/q?x=1
`)
	var lines []string
	for _, err := range wrong {
		lines = append(lines, strings.SplitN(err.Error(), ":", 2)[0])
	}
	if got := strings.Join(lines, ","); got != "line 10,line 11,line 12,line 13,line 14,line 15" {
		t.Errorf("wrong: %s %v", got, wrong)
	}
	for request, want := range map[string]string{
		"GET /users/ann/":           "/users/{slug}/",
		"GET /users/ann?x=/y":       "/users/{slug}/",
		"GET /users/me":             "/users/{slug}/",
		"GET /users/":               "/users/",
		"GET /users/ann/x":          "/users/{slug}/x",
		"GET /users/ann/17":         "/users/ann/{n}",
		"POST /u/ann/posts/first":   "/u/{name}/posts/{n}",
		"GET /u/ann/posts/first":    "/u/*/posts/{id}",
		"GET /files/a/b/c":          "/files/**",
		"GET /files":                "/files",
		"GET /late/x":               "/late/x",
		"GET /late/y/z":             "/late/**",
		"GET /orders/17":            "/orders/{n}",
		"GET http://host/users/ann": "http://host/users/ann",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := r.Of(method, []byte(path)); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
	if got := (*Routes)(nil).Of("GET", []byte("/x/17")); got != "/x/{n}" {
		t.Error(got)
	}
}
