package plugin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/store/s3"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
)

func TestTheDefaultsAreSound(t *testing.T) {
	c, err := ReadConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := options.Options{
		Format: record.CRI, Scope: options.ScopeContainer, MaxSize: 100e6, Fsync: options.FsyncInterval,
		Detect: detect.Options{Mode: detect.ModeAuto, Status: detect.AllStatuses},
		Policy: fasttrack.Policy{Quiet: 30 * time.Second, MaxDelay: 5 * time.Minute},
	}
	if !cmp.Equal(c.Defaults, want) || c.Dir != "/var/log/logfast/archive" || c.Spool != "/var/log/logfast" ||
		c.Daily.Hour != 0 || c.Daily.Minute != 0 || c.Daily.Zone != time.UTC || c.Keep != 7*24*time.Hour || c.MaxDisk != 10e9 || c.OnFull != options.OnFullDrop || c.UID != -1 {
		t.Fatalf("%+v", c)
	}
	// Docker passes a variable that is set to nothing.
	empty, err := ReadConfig([]string{"LOGFAST_FORMAT=", "LOGFAST_STORE=", "LOGFAST_KEEP=", "LOGFAST_OWNER=", "AWS_CA_BUNDLE="})
	if err != nil || !cmp.Equal(empty.Defaults, want) || empty.Keep != c.Keep {
		t.Fatalf("%+v, %v", empty, err)
	}
}

func TestS3Settings(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		environ []string
		want    s3.Options
	}{
		"aws": {
			[]string{"LOGFAST_STORE=s3://logs", "AWS_REGION=eu-central-1"},
			s3.Options{Bucket: "logs", Region: "eu-central-1"},
		},
		"own": {
			[]string{
				"LOGFAST_STORE=s3://logs/web/prod/", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:7070", "AWS_DEFAULT_REGION=us-east-1",
				"LOGFAST_S3_SSE=aws:kms", "LOGFAST_S3_SSE_KMS_KEY_ID=k", "LOGFAST_S3_STORAGE_CLASS=STANDARD_IA", "AWS_CA_BUNDLE=" + ca,
			},
			s3.Options{
				Bucket: "logs", Prefix: "web/prod/", Endpoint: "http://127.0.0.1:7070", Region: "us-east-1", PathStyle: true,
				SSE: "aws:kms", SSEKMSKeyID: "k", StorageClass: "STANDARD_IA", CAFile: ca,
			},
		},
		"style": {
			[]string{"LOGFAST_STORE=s3://logs", "AWS_ENDPOINT_URL=https://s3.example.com", "LOGFAST_S3_PATH_STYLE=false", "AWS_REGION=x"},
			s3.Options{Bucket: "logs", Endpoint: "https://s3.example.com", Region: "x"},
		},
		"access point": {
			[]string{"LOGFAST_STORE=s3://arn:aws:s3:eu-central-1:123456789012:accesspoint/logs/web/prod", "AWS_ENDPOINT_URL_S3=https://vpce.example.com", "LOGFAST_S3_ACL=bucket-owner-full-control"},
			s3.Options{
				Bucket: "arn:aws:s3:eu-central-1:123456789012:accesspoint/logs", Prefix: "web/prod/", Endpoint: "https://vpce.example.com",
				ACL: "bucket-owner-full-control",
			},
		},
		"alias": {
			[]string{"LOGFAST_STORE=s3://logs-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/web", "AWS_REGION=eu-central-1"},
			s3.Options{Bucket: "logs-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias", Prefix: "web/", Region: "eu-central-1"},
		},
	} {
		c, err := ReadConfig(tt.environ)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(tt.want, c.S3); d != "" || c.Dir != "" {
			t.Errorf("%s: directory %q\n%s", name, c.Dir, d)
		}
	}
}

func TestConfig_StoreURL(t *testing.T) {
	for store, want := range map[string]struct{ store, object string }{
		"file:///srv/logs/": {"file:///srv/logs", "file:///srv/logs/k"},
		"file:///":          {"file:///", "file:///k"},
		"s3://logs":         {"s3://logs/", "s3://logs/k"},
		"s3://logs/web/eu/": {"s3://logs/web/eu/", "s3://logs/web/eu/k"},
	} {
		c, err := ReadConfig([]string{"LOGFAST_STORE=" + store})
		if err != nil {
			t.Fatal(err)
		}
		if c.StoreURL() != want.store || c.objectURL("k") != want.object {
			t.Errorf("%s: %q and %q, want %q", store, c.StoreURL(), c.objectURL("k"), want)
		}
	}
}

func TestABadValueIsNamedWithWhatIsAllowed(t *testing.T) {
	s3store := "LOGFAST_STORE=s3://logs"
	for _, tt := range []struct {
		environ string
		want    []string
	}{
		{"LOGFAST_QUIET_PERIOD=soon", []string{"LOGFAST_QUIET_PERIOD=soon", "such as 30s or 5m"}},
		{"LOGFAST_QUIET_PERIOD=10m", []string{"LOGFAST_QUIET_PERIOD=10m with LOGFAST_MAX_DELAY=5m", "allowed are 10m0s"}},
		{"LOGFAST_MAX_DELAY=never", []string{"LOGFAST_MAX_DELAY=never", "such as 30s or 5m"}},
		{"LOGFAST_MAX_SIZE=1KB", []string{"LOGFAST_MAX_SIZE=1KB", "64KiB to 4.9GB"}},
		{"LOGFAST_FSYNC=yes", []string{"LOGFAST_FSYNC=yes", "interval, always, never"}},
		{"LOGFAST_DETECT=smart", []string{"LOGFAST_DETECT=smart", "auto, classic, off"}},
		{"LOGFAST_STATUS=400-599", []string{"LOGFAST_STATUS=400-599", "such as 500,502-504"}},
		{"LOGFAST_PATTERN=a(b", []string{"LOGFAST_PATTERN=a(b", "at byte 2", "missing closing )"}},
		{"LOGFAST_EXCLUDE_PATH=healthz", []string{"LOGFAST_EXCLUDE_PATH=healthz", "/healthz,/static/*"}},
		{"LOGFAST_SIGNALS=pyton", []string{"LOGFAST_SIGNALS=pyton", `did you mean "python"?`}},
		{"LOGFAST_FORMAT=json", []string{"LOGFAST_FORMAT=json", "cri, syslog, raw"}},
		{"LOGFAST_FAST_TRACK_SCOPE=all", []string{"LOGFAST_FAST_TRACK_SCOPE=all", "container, group, host"}},
		{"LOGFAST_ROTATE_AT=25:00", []string{"LOGFAST_ROTATE_AT=25:00", "00:00 to 23:59"}},
		{"LOGFAST_ROTATE_ZONE=Mars", []string{"LOGFAST_ROTATE_ZONE=Mars", "Europe/Berlin"}},
		{"LOGFAST_KEEP=week", []string{"LOGFAST_KEEP=week", "such as 7d or 12h"}},
		{"LOGFAST_MAX_DISK=much", []string{"LOGFAST_MAX_DISK=much", "such as 100MB"}},
		{"LOGFAST_MAX_DISK=100KiB", []string{"LOGFAST_MAX_DISK=100KiB", "512KiB and more", "0 for no bound"}},
		{"LOGFAST_ON_FULL=wait", []string{"LOGFAST_ON_FULL=wait", "drop, block"}},
		{"LOGFAST_KEEP=-1h", []string{"LOGFAST_KEEP=-1h", "such as 7d or 12h"}},
		{"LOGFAST_OWNER=root", []string{"LOGFAST_OWNER=root", "uid:gid"}},
		{"LOGFAST_OWNER=-1:0", []string{"LOGFAST_OWNER=-1:0", "uid:gid"}},
		{"LOGFAST_LOG_LEVEL=loud", []string{"LOGFAST_LOG_LEVEL=loud", "debug, info, warn, error"}},
		{s3store + " LOGFAST_S3_ACL=public-read", []string{"LOGFAST_S3_ACL=public-read", "bucket-owner-full-control"}},
		{"LOGFAST_STORE=s3://arn:aws:s3:::my-logs/web", []string{"LOGFAST_STORE=s3://arn:aws:s3:::my-logs/web", "access point", "s3://BUCKET/PREFIX"}},
		{"LOGFAST_METRICS=9323", []string{"LOGFAST_METRICS=9323", "such as 127.0.0.1:9323"}},
		{"LOGFAST_METRICS=:http", []string{"LOGFAST_METRICS=:http", "host:port"}},
		{"LOGFAST_METRICS=127.0.0.1:80", []string{"LOGFAST_METRICS=127.0.0.1:80", "1024 or more"}},
		{"LOGFAST_STALL=never", []string{"LOGFAST_STALL=never", "such as 30s or 5m"}},
		{"LOGFAST_STALL=25h", []string{"LOGFAST_STALL=25h", "1s to 24h"}},
		{"LOGFAST_KEY={tiem}", []string{"LOGFAST_KEY={tiem}", `did you mean "time"?`}},
		{"LOGFAST_SPOOL=log", []string{"LOGFAST_SPOOL=log", "absolute"}},
		{"LOGFAST_STORE=gs://logs", []string{"LOGFAST_STORE=gs://logs", "s3://bucket/prefix or file:///directory"}},
		{"LOGFAST_STORE=s3://", []string{"LOGFAST_STORE=s3://", "s3://bucket/prefix"}},
		{"LOGFAST_STORE=file://relative", []string{"LOGFAST_STORE=file://relative", "file:///directory"}},
		{"LOGFAST_STROE=s3://logs", []string{`unknown variable LOGFAST_STROE; did you mean "LOGFAST_STORE"?`}},
		{s3store + " LOGFAST_S3_SSE=rot13", []string{"LOGFAST_S3_SSE=rot13", "AES256, aws:kms"}},
		{s3store + " LOGFAST_S3_SSE_KMS_KEY_ID=k", []string{"LOGFAST_S3_SSE_KMS_KEY_ID=k", "LOGFAST_S3_SSE=aws:kms"}},
		{s3store + " LOGFAST_S3_STORAGE_CLASS=COLD", []string{"LOGFAST_S3_STORAGE_CLASS=COLD", "STANDARD_IA"}},
		{s3store + " LOGFAST_S3_PATH_STYLE=yes", []string{"LOGFAST_S3_PATH_STYLE=yes", "true, false, and auto"}},
		{s3store + " AWS_ENDPOINT_URL_S3=localhost:9000", []string{"AWS_ENDPOINT_URL_S3", "http://host:port"}},
		{s3store + " AWS_CA_BUNDLE=/no/such/file", []string{"AWS_CA_BUNDLE=/no/such/file", "no such file"}},
		{"LOGFAST_NOTIFY=slak://x", []string{"LOGFAST_NOTIFY=…", "target 1", `did you mean "slack"?`}},
		{"LOGFAST_NOTIFY=https://a.example,hook.example", []string{"LOGFAST_NOTIFY=…", "write a webhook as https://host/path"}},
		{"LOGFAST_NOTIFY=https://a.example,https://a.example", []string{"LOGFAST_NOTIFY=…", "twice"}},
		{"LOGFAST_NOTIFY_ON=last", []string{"LOGFAST_NOTIFY_ON=last", "write shipped", "first,shipped"}},
		{"LOGFAST_NOTIFY_FILE=/no/such/file", []string{"LOGFAST_NOTIFY_FILE=/no/such/file", "no such file"}},
		{"LOGFAST_FORMAT=x LOGFAST_KEEP=y", []string{"LOGFAST_FORMAT=x", "LOGFAST_KEEP=y"}},
	} {
		_, err := ReadConfig(strings.Fields(tt.environ))
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant … %s …", tt.environ, err, want)
			}
		}
	}
}

// TestConfig_EmptyIsUnset: a variable that an older version had, and that was
// emptied because Docker cannot remove it, is no problem.
func TestConfig_EmptyIsUnset(t *testing.T) {
	if _, err := ReadConfig([]string{"LOGFAST_STALL=", "LOGFAST_NO_LONGER="}); err != nil {
		t.Error(err)
	}
}

func TestCredentialsInAURLAreNotRepeated(t *testing.T) {
	for _, environ := range []string{
		"LOGFAST_STORE=s3://AKIAKEY:hunter2@logs", "LOGFAST_STORE=s3://logs?secret=hunter2", "LOGFAST_STORE=s3://a:hunter2%zz@logs",
		"LOGFAST_STORE=s3://logs AWS_ENDPOINT_URL_S3=https://key:hunter2@example.com",
		"LOGFAST_NOTIFY=slack://hook:hunter2@webhook", "LOGFAST_NOTIFY=https://a.example/hunter2,https://a.example/hunter2", "LOGFAST_NOTIFY=smtp://u:hunter2@mail.example",
	} {
		_, err := ReadConfig(strings.Fields(environ))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", environ, err)
		}
	}
}

// pluginConfig is the part of config.json that must agree with the code.
type pluginConfig struct {
	Interface struct {
		Types  []string
		Socket string
	}
	Network struct{ Type string }
	Linux   struct {
		Capabilities    []string
		AllowAllDevices bool
	}
	Mounts []struct {
		Name, Source, Destination string
		Settable                  []string
	}
	Env []struct {
		Name     string
		Value    *string
		Settable []string
	}
}

func TestConfigJSONAgreesWithTheCode(t *testing.T) {
	b, err := os.ReadFile("../config.json")
	if err != nil {
		t.Fatal(err)
	}
	var c pluginConfig
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Interface.Types, []string{"docker.logdriver/1.0"}) || c.Interface.Socket != filepath.Base(Socket) {
		t.Errorf("interface %+v", c.Interface)
	}
	if len(c.Linux.Capabilities) != 0 || c.Linux.AllowAllDevices || c.Network.Type != "host" || len(c.Mounts) != 2 {
		t.Error("a privilege more than the README explains")
	}
	var settable, environ []string
	for _, v := range c.Env {
		if !slices.Equal(v.Settable, []string{"value"}) {
			t.Errorf("%s cannot be set", v.Name)
		}
		settable = append(settable, v.Name)
		if v.Value != nil {
			environ = append(environ, v.Name+"="+*v.Value)
		}
	}
	for name, want := range map[string]string{"AWS_SHARED_CREDENTIALS_FILE": settings.CredentialsPath, "AWS_CONFIG_FILE": settings.ConfigPath} {
		if !slices.Contains(environ, name+"="+want) {
			t.Errorf("%s is not %s", name, want)
		}
	}
	// The spool is moved by its mount.
	for _, name := range settings.Variables() {
		if !slices.Contains(settable, name) && name != "LOGFAST_SPOOL" {
			t.Errorf("config.json lacks %s", name)
		}
	}
	for _, name := range settable {
		if strings.HasPrefix(name, settings.Prefix) && !slices.Contains(settings.Variables(), name) {
			t.Errorf("config.json has %s, which nobody reads", name)
		}
	}
	// Its values are the defaults, and say nothing new.
	got, err := ReadConfig(environ)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := ReadConfig(nil)
	if !cmp.Equal(got.Defaults, want.Defaults) || got.Keep != want.Keep || got.Daily != want.Daily || got.LogLevel != want.LogLevel || got.Dir != want.Dir {
		t.Errorf("config.json: %+v\nthe code: %+v", got, want)
	}
}

// TestOptionsPageHasEveryOption keeps the table of options complete.
func TestOptionsPageHasEveryOption(t *testing.T) {
	b, err := os.ReadFile("../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(settings.Variables(), settings.Options()) {
		if !strings.Contains(string(b), "| `"+name+"` |") {
			t.Errorf("docs/options.md has no row for %s", name)
		}
	}
}
