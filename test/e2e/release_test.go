//go:build e2e

package e2e

import (
	"debug/buildinfo"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// release makes a release of this source in a directory of its own, all of
// whose files have another time, and returns where it is.
func release(t *testing.T, version string, modified time.Time) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("git", "-C", "../..", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		data, err := os.ReadFile(filepath.Join("../..", path))
		if os.IsNotExist(err) {
			continue // deleted, and not committed
		}
		if err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(filepath.Join("../..", path))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, fi.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(to, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	run(t, filepath.Join(dir, "scripts/release.sh"), version)
	return filepath.Join(dir, "build/release")
}

// TestAReleaseIsReproducible: the same source is the same bytes, made elsewhere
// and at another time, and the same plugin to the registry. What is in it says
// what it is.
func TestAReleaseIsReproducible(t *testing.T) {
	const version = "1.2.3"
	a, b := release(t, version, time.Now()), release(t, version, time.Unix(1e9, 0))
	var sums [2]string
	for i, dir := range []string{a, b} {
		check := exec.Command("sha256sum", "--strict", "-c", "SHA256SUMS")
		check.Dir = dir
		if out, err := check.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = string(text)
	}
	if d := cmp.Diff(sums[0], sums[1]); d != "" || strings.Count(sums[0], "\n") != 4 {
		t.Fatalf("%s\n%s", sums[0], d)
	}

	r := startRegistry(t)
	var digests []string
	for i, dir := range []string{a, b} {
		for _, arch := range []string{"amd64", "arm64"} {
			base := "logfast-" + version + "-linux-" + arch
			run(t, "tar", "-xzf", filepath.Join(dir, base+".tar.gz"), "-C", dir)
			program := filepath.Join(dir, base, "plugin/rootfs/logfast")
			info, err := buildinfo.ReadFile(program)
			if err != nil {
				t.Fatal(err)
			}
			wantBillOfMaterials(t, filepath.Join(dir, base+".cdx.json"), info.Deps[0].Path, info.Deps[0].Version, len(info.Deps))
			for _, s := range info.Settings {
				if s.Key == "GOARCH" && s.Value != arch {
					t.Errorf("%s is for %s", program, s.Value)
				}
			}
			if fi, err := os.Stat(program); err != nil || fi.Size() > 30_000_000 {
				t.Errorf("the program has %d bytes: %v", fi.Size(), err)
			}
			if arch == runtime.GOARCH {
				if out, err := exec.Command(program, "version").Output(); err != nil || string(out) != "logfast "+version+"\n" {
					t.Errorf("%q, %v", out, err)
				}
			}
			tag := version + "-" + arch + []string{"", "-again"}[i]
			r.pushTree(r.address+"/"+name+":"+tag, filepath.Join(dir, base, "plugin"))
			digests = append(digests, r.digest(tag))
		}
	}
	if digests[0] != digests[2] || digests[1] != digests[3] || digests[0] == digests[1] {
		t.Fatalf("the plugins' digests are %v", digests)
	}

	// scripts/push.sh, in the copy that has the release, gives each platform a tag.
	push := exec.Command(filepath.Join(a, "../../scripts/push.sh"), version, r.address+"/"+name+"-pushed")
	if out, err := push.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r.name = name + "-pushed"
	for tag, want := range map[string]string{version: digests[0], version + "-amd64": digests[0], version + "-arm64": digests[1]} {
		if got := r.digest(tag); got != want {
			t.Errorf("the tag %s has %s, want %s", tag, got, want)
		}
	}
}

// digest is a tag's, as the registry says.
func (r *registry) digest(tag string) string {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodHead, "http://"+r.address+"/v2/"+r.name+"/manifests/"+tag, nil)
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.docker.distribution.manifest.v2+json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	answer.Body.Close()
	digest := answer.Header.Get("Docker-Content-Digest")
	if digest == "" {
		r.Fatalf("%s: %s", tag, answer.Status)
	}
	return digest
}

// wantBillOfMaterials fails unless the bill has a module, and as many as are
// linked, and Go.
func wantBillOfMaterials(t *testing.T, path, module, version string, modules int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		BOMFormat  string
		Components []struct {
			Name, Version, PURL string
			Hashes              []struct{ Content string }
		}
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range bill.Components {
		found = found || c.Name == module && c.Version == version && len(c.Hashes) == 1 && strings.HasPrefix(c.PURL, "pkg:golang/"+module+"@v")
	}
	if bill.BOMFormat != "CycloneDX" || len(bill.Components) != modules+1 || !found {
		t.Errorf("%s: %s with %d components, want %d and %s %s", path, bill.BOMFormat, len(bill.Components), modules+1, module, version)
	}
}
