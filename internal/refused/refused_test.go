package refused

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReason_NamesSELinuxToRoot(t *testing.T) {
	const sudo, ausearch, other = "type sudo", "ausearch -m avc -ts recent", "SELinux does not enforce"
	auditadm := "root:auditadm_r:auditadm_t:s0\x00"
	for _, tt := range []struct {
		name             string
		uid              int
		enforce, current string // "": there is no such file
		want, domain     string
	}{
		{"Enforcing", 0, "1", auditadm, ausearch, " auditadm_t: "},
		{"EnforcingWithNewline", 0, "1\n", "root:auditadm_r:auditadm_t:s0\n", ausearch, " auditadm_t: "},
		{"WithoutLevels", 0, "1", "root:auditadm_r:auditadm_t", ausearch, " auditadm_t: "},
		{"LabelUnreadable", 0, "1", "", ausearch, " ?: "},
		{"NoSELinuxFS", 0, "", auditadm, ausearch, " auditadm_t: "},
		{"Permissive", 0, "0", auditadm, other, ""},
		{"AppArmor", 0, "", "docker-default (enforce)\n", other, ""},
		{"AppArmorNamespace", 0, "", ":ns://a:b:c (enforce)\n", other, ""},
		{"Neither", 0, "", "", other, ""},
		{"User", 1000, "1", "user_u:user_r:user_t:s0", sudo, ""},
		{"UserWithoutSELinux", 1000, "", "", sudo, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Process{UID: tt.uid, Root: t.TempDir()}
			for path, text := range map[string]string{"sys/fs/selinux/enforce": tt.enforce, "proc/self/attr/current": tt.current} {
				if text == "" {
					continue
				}
				if err := os.MkdirAll(filepath.Join(p.Root, filepath.Dir(path)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(p.Root, path), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := p.Reason(Operator)
			for _, one := range []string{sudo, ausearch, other} {
				if strings.Contains(got, one) != (one == tt.want) {
					t.Errorf("%q\nwant … %s …", got, tt.want)
				}
			}
			if !strings.Contains(got, tt.domain) {
				t.Errorf("%q\nwant … %s …", got, tt.domain)
			}
		})
	}
}
