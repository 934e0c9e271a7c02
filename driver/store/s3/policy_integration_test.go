//go:build integration

package s3

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/objecttest"
	"github.com/logfast/logfast/driver/store/s3/s3test"
)

// Accounts that may do what the example policies say, and nothing else, do
// what a host and a desk do, and no more.
func TestPoliciesOnVersitygw(t *testing.T) {
	server := s3test.StartWithUsers(t)
	server.CreateBucket(t, "my-logs")
	// A store looks for its credentials again when it is refused, so the
	// environment has to hold one account's for as long as that one is on.
	openAs := func(account [2]string) *Store {
		t.Helper()
		s3test.ClearEnv(t)
		t.Setenv("AWS_ACCESS_KEY_ID", account[0])
		t.Setenv("AWS_SECRET_ACCESS_KEY", account[1])
		return openServer(t, server, Options{Bucket: "my-logs"})
	}
	var document policy
	accounts := map[string][2]string{}
	for _, file := range []string{"host-policy.json", "desk-policy.json"} {
		access, secret := server.CreateUser(t)
		accounts[file] = [2]string{access, secret}
		p := readPolicy(t, file)
		document.Version = p.Version
		for _, s := range p.Statement {
			s.Principal = map[string]string{"AWS": access}
			document.Statement = append(document.Statement, s)
		}
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}

	data := []byte("a line\n")
	put := func(s *Store, key string) error {
		return s.Put(t.Context(), key, strings.NewReader(string(data)), objecttest.Describe(data))
	}
	get := func(s *Store, key string) error {
		body, _, err := s.Get(t.Context(), key)
		if err == nil {
			body.Close()
		}
		return err
	}
	list := func(s *Store) (keys []string, err error) {
		for entry, err := range s.List(t.Context(), "", "") {
			if err != nil {
				return nil, err
			}
			keys = append(keys, entry.Key)
		}
		return keys, nil
	}
	const key = "logs/dt=2026-11-23/host=web-1/app=shop/1.log.gz"
	host := openAs(accounts["host-policy.json"])
	expectBlocked(t, "a put before there is a policy", put(host, key))
	server.PutBucketPolicy(t, "my-logs", string(text))
	for _, try := range []string{"first", "repeated, which reads what is there"} {
		if err := put(host, key); err != nil {
			t.Errorf("a host's %s put: %v", try, err)
		}
	}
	if err := host.Put(t.Context(), key, strings.NewReader("other"), objecttest.Describe([]byte("other"))); !errors.Is(err, store.ErrExists) {
		t.Errorf("a host's put where another object is: %v", err)
	}
	_, err = list(host)
	expectBlocked(t, "a host lists", err)

	desk := openAs(accounts["desk-policy.json"])
	if err := get(desk, key); err != nil {
		t.Errorf("a desk reads: %v", err)
	}
	if keys, err := list(desk); err != nil || len(keys) != 1 || keys[0] != key {
		t.Errorf("a desk lists: %q, %v", keys, err)
	}
	expectBlocked(t, "a desk puts", put(desk, "logs/other"))
}
