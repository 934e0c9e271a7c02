package plugin

import (
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/store/s3/s3test"
	"github.com/logfast/logfast/plugin/control"
)

// checkAt checks an imitated store with the settings that it needs.
func checkAt(t *testing.T, server *s3test.Imitation, settings map[string]string) []control.Finding {
	t.Helper()
	environ := []string{"LOGFAST_SPOOL=" + t.TempDir(), "LOGFAST_STORE=s3://bucket/logs", "AWS_ENDPOINT_URL_S3=" + server.URL}
	for name, value := range settings {
		environ = append(environ, name+"="+value)
	}
	return Check(t.Context(), environ, true)
}

// Every imitated store passes again and again; what it cannot do is a warning.
func TestCheck_ImitatedStores(t *testing.T) {
	for _, store := range s3test.Stores {
		t.Run(store.Name, func(t *testing.T) {
			server := s3test.Imitate(t, store.Deviations)
			server.SetEnv(t)
			for range 3 {
				all := checkAt(t, server, store.Options)
				if control.Failed(all) {
					t.Fatalf("%+v", all)
				}
				if f := found(all, "overwrite"); f.Result != control.OK {
					t.Errorf("%+v", f)
				}
				notes := ""
				for _, f := range all {
					if f.Check == "compatible" {
						notes += f.Detail + "\n"
					}
				}
				for _, words := range store.Learns {
					if !strings.Contains(notes, words) {
						t.Errorf("notes %q, want %q", notes, words)
					}
				}
				stays := found(all, "delete")
				if stays.Result != control.OK || strings.Contains(stays.Detail, "delete marker") != store.Deviations.Versioned {
					t.Errorf("%+v", stays)
				}
			}
		})
	}
}

// What a check says of a store that refuses, of one that overwrites and may not be
// looked at, and of one in which the check's object stays.
func TestCheck_RightsThatAreMissing(t *testing.T) {
	deny := func(methods ...string) map[string]bool {
		all := map[string]bool{}
		for _, m := range methods {
			all[m] = true
		}
		return all
	}
	for what, test := range map[string]struct {
		deviations s3test.Deviations
		check      string
		result     control.Result
		remedy     string
	}{
		"put":               {s3test.Deviations{Deny: deny("PUT")}, "put", control.Fail, "s3:PutObject"},
		"ACL":               {s3test.Deviations{NeedsACL: "bucket-owner-full-control"}, "put", control.Fail, "LOGFAST_S3_ACL=bucket-owner-full-control"},
		"SSE":               {s3test.Deviations{NeedsSSE: "AES256"}, "put", control.Fail, "LOGFAST_S3_SSE"},
		"get":               {s3test.Deviations{Deny: deny("GET")}, "get", control.Fail, "s3:GetObject"},
		"list":              {s3test.Deviations{Deny: deny("LIST")}, "list", control.Warn, "s3:ListBucket"},
		"delete":            {s3test.Deviations{Deny: deny("DELETE")}, "delete", control.Warn, "stays"},
		"delete, overwrite": {s3test.Deviations{Deny: deny("DELETE", "HEAD", "GET"), IgnoreCondition: true}, "overwrite", control.Warn, "LOGFAST_HOST"},
	} {
		t.Run(what, func(t *testing.T) {
			server := s3test.Imitate(t, test.deviations)
			server.SetEnv(t)
			for range 2 {
				all := checkAt(t, server, nil)
				f := found(all, test.check)
				if f.Result != test.result || !strings.Contains(f.Remedy, test.remedy) {
					t.Errorf("%+v\nof %+v", f, all)
				}
				if what != "put" && what != "ACL" && what != "SSE" && strings.Contains(f.Remedy, "PutObject") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

func TestCheck_SecretsOfProxiesAndTokens(t *testing.T) {
	for setting, want := range map[string]bool{
		"HTTPS_PROXY=http://user:hunter2@proxy:3128": true, "HTTP_PROXY=http://proxy:3128": false, "NO_PROXY=a@b": false,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN=hunter2": true, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/etc/logfast/token": false,
	} {
		f := found(Check(t.Context(), []string{"LOGFAST_SPOOL=" + t.TempDir(), setting}, true), "secrets")
		if (f.Result == control.Warn) != want || strings.Contains(f.Detail+f.Remedy, "hunter2") {
			t.Errorf("%s: %+v", setting, f)
		}
		if got := visibleSecret([]string{setting}); (got != "") != want {
			t.Errorf("%s: %q", setting, got)
		}
	}
}
