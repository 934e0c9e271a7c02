package plugin

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/docker/docker/daemon/logger"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/internal/await"
	"github.com/logfast/logfast/plugin/control"
)

// wrongValues has a wrong value of each variable that can have one.
var wrongValues = map[string]string{
	"LOGFAST_SPOOL": "log", "LOGFAST_STORE": "gs://logs", "LOGFAST_KEY": "{tiem}", "LOGFAST_HOST": "a\nb", "LOGFAST_OWNER": "root",
	"LOGFAST_FORMAT": "json", "LOGFAST_FAST_TRACK_SCOPE": "all", "LOGFAST_QUIET_PERIOD": "soon", "LOGFAST_MAX_DELAY": "1ms", "LOGFAST_MAX_SIZE": "1KB",
	"LOGFAST_FSYNC": "yes", "LOGFAST_DETECT": "smart", "LOGFAST_STATUS": "404", "LOGFAST_PATTERN": "(x?y){900}{900}", "LOGFAST_EXCLUDE_PATH": "healthz",
	"LOGFAST_SIGNALS": "cobol", "LOGFAST_REDACT": "(", "LOGFAST_LABELS": "a b", "LOGFAST_ROUTES": "/none", "LOGFAST_READ_ARCHIVE": "maybe", "LOGFAST_ROTATE_AT": "25:00",
	"LOGFAST_ROTATE_ZONE": "Mars", "LOGFAST_KEEP": "week", "LOGFAST_MAX_DISK": "1KB", "LOGFAST_ON_FULL": "explode", "LOGFAST_LOG_LEVEL": "loud",
	"LOGFAST_METRICS": "9323", "LOGFAST_STALL": "never", "LOGFAST_NOTIFY": "htps://x.example", "LOGFAST_NOTIFY_FILE": "/none", "LOGFAST_NOTIFY_ON": "never",
	"LOGFAST_S3_PATH_STYLE": "maybe", "LOGFAST_S3_SSE": "rot13", "LOGFAST_S3_SSE_KMS_KEY_ID": "k", "LOGFAST_S3_STORAGE_CLASS": "COLD",
	"LOGFAST_S3_ACL": "public-read", "LOGFAST_OPTIONS": "loose",
	"AWS_ENDPOINT_URL_S3": "nowhere", "AWS_ENDPOINT_URL": "nowhere", "AWS_CA_BUNDLE": "/none.pem",
}

// TestSettings_EachWrongOneLeavesTheRestSound reads each wrong value alone, and all
// at once, and wants a configuration that a driver works with.
func TestSettings_EachWrongOneLeavesTheRestSound(t *testing.T) {
	for _, name := range settings.Variables() {
		if wrongValues[name] == "" && name != "AWS_REGION" && name != "AWS_DEFAULT_REGION" {
			t.Errorf("%s has no wrong value here", name)
		}
	}
	var all []string
	for name, value := range wrongValues {
		environ := []string{name + "=" + value}
		if settings.Of(name).IfWrong == settings.HoldUploads && name != "LOGFAST_STORE" {
			environ = append(environ, "LOGFAST_STORE=s3://logs")
		}
		all = append(all, name+"="+value)
		s := soundSettings(t, environ)
		if len(s.wrong) != 1 || !slices.Contains(s.wrong[0].names, name) || !strings.Contains(s.wrong[0].err.Error(), name) || s.wrong[0].inUse == "" {
			t.Errorf("%s: %+v", name, s.wrong)
		}
	}
	s := soundSettings(t, append(all, "LOGFAST_COLOUR=red", "LOGFAST_STORE=s3://logs"))
	if len(s.wrong) < len(wrongValues)-3 {
		t.Errorf("%d are said", len(s.wrong))
	}
}

// TestSettings_ValuesAreThoseOfTheTable holds the parsers to the values that the table,
// and with it config.json and docs/options.md, lists.
func TestSettings_ValuesAreThoseOfTheTable(t *testing.T) {
	read := func(name, value string) error {
		_, err := ReadConfig([]string{"LOGFAST_STORE=s3://logs", name + "=" + value})
		return err
	}
	for _, setting := range settings.All() {
		if setting.Variable == "" || setting.SDK || len(setting.Values) == 0 {
			continue
		}
		wrong := read(setting.Variable, "nonsense")
		for _, value := range setting.Values {
			if err := read(setting.Variable, value); err != nil {
				t.Errorf("%s=%s: %v", setting.Variable, value, err)
			}
			if wrong == nil || !strings.Contains(wrong.Error(), value) {
				t.Errorf("%s=nonsense: %v\nwant %s among what is allowed", setting.Variable, wrong, value)
			}
		}
	}
	for _, setting := range settings.All() {
		if setting.Variable != "" && !setting.SDK && setting.Default != "" && setting.Variable != settings.NotifyFile {
			if err := read(setting.Variable, setting.Default); err != nil {
				t.Errorf("the default of %s: %v", setting.Variable, err)
			}
		}
	}
}

func soundSettings(t *testing.T, environ []string) *effective {
	t.Helper()
	s := readSettings(environ)
	d := &s.Defaults
	_, err := detect.New(d.Detect)
	if _, redact := incident.NewRedactor(d.Redact); err != nil || redact != nil || options.ValidatePolicy(d.Policy) != nil || options.ValidateMaxSize(d.MaxSize) != nil ||
		d.Scope == "" || d.Fsync == "" || s.OnFull == "" || s.Key == nil || s.Host == "" || !filepath.IsAbs(s.Spool) || s.Stall < minStall || s.Keep <= 0 || s.MaxDisk <= 0 {
		t.Errorf("%q: not sound: %+v", environ, s.Config)
	}
	return s
}

// TestSettings_WrongOnesWithARunningContainer restarts the plugin with all of them
// wrong beneath a container, which must not notice, and neither must a new one.
func TestSettings_WrongOnesWithARunningContainer(t *testing.T) {
	s := serve(t, "LOGFAST_KEEP=12h", "LOGFAST_PATTERN=^FATAL ", "LOGFAST_REDACT=x")
	fifo, w := makeFIFO(t)
	info := logger.Info{ContainerID: strings.Repeat("ab", 32), ContainerName: "/web"}
	if got := s.call("LogDriver.StartLogging", startRequest(t, fifo, info)); got != "" {
		t.Fatal(got)
	}
	line := func(text string) {
		t.Helper()
		if err := logdriver.NewLogEntryEncoder(w).Encode(&logdriver.LogEntry{Source: "stdout", TimeNano: 1, Line: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	onDisk := func(s *served, text string) {
		t.Helper()
		await.Until(t, text+" is on the disk", func() bool {
			for _, name := range find(t, s.spool, "*", "*.log") {
				if b, _ := os.ReadFile(name); strings.Contains(string(b), text) {
					return true
				}
			}
			return false
		})
	}
	line("before")
	onDisk(s, "before")
	s.stop()
	if b, err := os.ReadFile(filepath.Join(s.spool, settingsFile)); err != nil || !strings.Contains(string(b), "12h") {
		t.Fatalf("%s, %v", b, err)
	}

	var environ []string
	for name, value := range wrongValues {
		if name != "LOGFAST_SPOOL" {
			environ = append(environ, name+"="+value)
		}
	}
	again := serveOn(t, s.spool, environ...)
	line("after")
	onDisk(again, "after")
	other, _ := makeFIFO(t)
	if got := again.call("LogDriver.StartLogging", startRequest(t, other, logger.Info{ContainerID: strings.Repeat("cd", 32), ContainerName: "/db"})); got != "" {
		t.Errorf("a new container: %s", got)
	}
	bad, _ := makeFIFO(t)
	if got := again.call("LogDriver.StartLogging", startRequest(t, bad, logger.Info{ContainerID: "x", ContainerName: "/x", Config: map[string]string{"format": "json"}})); !strings.Contains(got, "option format") {
		t.Errorf("a container with a wrong option of its own: %q", got)
	}
	client := control.NewClient(again.spool)
	again.awaitControl(client)
	status, err := client.Status(t.Context())
	if err != nil || status.Health != control.Unhealthy {
		t.Fatalf("%s, %v", status.Health, err)
	}
	reasons := strings.Join(status.Reasons, "\n")
	for _, want := range []string{
		"LOGFAST_KEEP=week: write a number", "LOGFAST_KEEP=12h is in use", "LOGFAST_PATTERN=^FATAL  is in use", "LOGFAST_STORE=gs://logs", "nothing is uploaded",
		"LOGFAST_NOTIFY=…: target 1", "this target is not notified", "metrics are not served",
	} {
		if !strings.Contains(reasons, want) {
			t.Errorf("the status lacks %q:\n%s", want, reasons)
		}
	}
	if log := again.log.String(); !strings.Contains(log, wrongSetting) || !strings.Contains(log, "LOGFAST_KEEP=week") {
		t.Errorf("the log does not say it:\n%s", log)
	}
	if r := again.health(); r != http.StatusServiceUnavailable {
		t.Errorf("healthz: %d", r)
	}
	findings, err := client.Check(t.Context())
	if b, _ := json.Marshal(findings); err != nil || !control.Failed(findings) || strings.Count(string(b), `"fail"`) < 20 {
		t.Errorf("check: %s, %v", b, err)
	}
	if got := again.call("LogDriver.StopLogging", `{"File":"`+fifo+`"}`); got != "" {
		t.Error(got)
	}
	again.stop()
	if _, err := os.Stat(filepath.Join(s.spool, "archive")); err == nil && len(find(t, s.spool, "archive", "logs", "*", "*", "*", "*")) > 0 {
		t.Error("segments went to the default store")
	}
	if files := find(t, s.spool, "web-*", "*"); len(files) == 0 {
		t.Error("no segment waits")
	}
	if b, err := os.ReadFile(filepath.Join(s.spool, settingsFile)); err != nil || !strings.Contains(string(b), "12h") || strings.Contains(string(b), "gs://") || strings.Contains(string(b), "htps") {
		t.Errorf("%s, %v", b, err)
	}
}

func (s *served) health() int {
	s.Helper()
	client := clientOf(filepath.Join(s.spool, control.Dir, control.Socket))
	defer client.CloseIdleConnections()
	r, err := client.Get("http://logfast/healthz")
	if err != nil {
		s.Fatal(err)
	}
	r.Body.Close()
	return r.StatusCode
}

// TestSettings_DamagedLastOnes finds no use in the file of the last right settings.
func TestSettings_DamagedLastOnes(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "{", "other types": `{"LOGFAST_KEEP":7}`, "wrong too": `{"LOGFAST_KEEP":"month"}`} {
		spool := t.TempDir()
		if err := os.WriteFile(filepath.Join(spool, settingsFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := soundSettings(t, []string{"LOGFAST_SPOOL=" + spool, "LOGFAST_KEEP=week"})
		if s.Keep.Hours() != 7*24 || len(s.wrong) == 0 {
			t.Errorf("%s: %v, %+v", name, s.Keep, s.wrong)
		}
	}
	spool := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(spool, settingsFile), 0o600); err != nil {
		t.Fatal(err)
	}
	soundSettings(t, []string{"LOGFAST_SPOOL=" + spool})
}

// TestSettings_RedactFallsBackToHidingAll is about an expression that is wrong, and
// was never right: what it was to hide is not known.
func TestSettings_RedactFallsBackToHidingAll(t *testing.T) {
	s := soundSettings(t, []string{"LOGFAST_SPOOL=" + t.TempDir(), "LOGFAST_REDACT=customer=(\\w+"})
	r, err := incident.NewRedactor(s.Defaults.Redact)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Redact([]byte("customer=smith\nand more")); strings.Contains(string(got), "smith") || strings.Contains(string(got), "more") {
		t.Errorf("%q", got)
	}
}

// TestStore_OpensWhenItCan has the store's directory below a file, and then not.
func TestStore_OpensWhenItCan(t *testing.T) {
	below := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(below, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "LOGFAST_STORE=file://"+below+"/store")
	fifo := s.write("web", "one")
	if got := s.call("LogDriver.StopLogging", `{"File":"`+fifo+`"}`); got != "" {
		t.Fatal(got)
	}
	client := control.NewClient(s.spool)
	s.awaitControl(client)
	await.Until(t, "the status says why", func() bool {
		status, err := client.Status(t.Context())
		return err == nil && status.Health != control.Healthy && strings.Contains(status.Uploads.Blocked, below)
	})
	if err := os.Remove(below); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "it is uploaded", func() bool { return len(find(t, below, "store", "logs", "*", "*", "*", "*.gz")) == 1 })
	await.Until(t, "all is well", func() bool {
		status, err := client.Status(t.Context())
		return err == nil && status.Health == control.Healthy
	})
}

// TestStore_TheSDKsOwnSettingsStopNothing has variables and files that the AWS SDK
// reads by itself, and does not understand.
func TestStore_TheSDKsOwnSettingsStopNothing(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "config")
	if err := os.WriteFile(damaged, []byte("[profile x\nregion"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_RETRY_MODE": "foo", "AWS_MAX_ATTEMPTS": "abc", "AWS_PROFILE": "nobody", "AWS_CONFIG_FILE": damaged, "AWS_CA_BUNDLE": dir + "/none.pem",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "x", "AWS_USE_FIPS_ENDPOINT": "maybe",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", dir+"/none")
			t.Setenv("AWS_CONFIG_FILE", dir+"/none")
			t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			t.Setenv(name, value)
			s := serve(t, "LOGFAST_STORE=s3://logs", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:1", name+"="+value)
			fifo := s.write("web", "one") // fails where the container does not start
			if got := s.call("LogDriver.StopLogging", `{"File":"`+fifo+`"}`); got != "" {
				t.Error(got)
			}
		})
	}
}

// TestNotify_AWrongLineIsLeftOutAlone has right and wrong lines in the file.
func TestNotify_AWrongLineIsLeftOutAlone(t *testing.T) {
	bot := notifytest.NewReceiver(t)
	file := notifyFile(t, "htps://bot.example.com/hunter2hunter2", bot.URL+"/hook", "https://a.example secert=hunter2hunter2", bot.URL+"/hook", "https://b.example ca=/dev/zero", `"`)
	s := serve(t, "LOGFAST_QUIET_PERIOD=200ms", "LOGFAST_NOTIFY_FILE="+file, "LOGFAST_NOTIFY=nothing")
	s.fail()
	s.await("the right line's event", bot.Got())
	client := control.NewClient(s.spool)
	s.awaitControl(client)
	status, err := client.Status(t.Context())
	reasons := strings.Join(status.Reasons, "\n")
	if err != nil || status.Health != control.Degraded || len(status.Targets) != 1 || len(status.WrongSettings) != 6 {
		t.Fatalf("%s, %d targets, %v\n%s", status.Health, len(status.Targets), err, reasons)
	}
	findings, err := client.Check(t.Context())
	if err != nil || !control.Failed(findings) {
		t.Errorf("%+v, %v", findings, err)
	}
	checked, _ := json.Marshal(findings)
	for what, text := range map[string]string{"status": reasons, "check": string(checked), "log": s.log.String()} {
		for _, want := range []string{file + ": line 1: ", file + ": line 3: ", file + ": line 5: ", file + ": line 6: ", "there twice", "target 1: "} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", what, want, text)
			}
		}
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s repeats a secret:\n%s", what, text)
		}
	}
}

// TestNotify_AFIFOInTheFilesPlaceHangsNothing, and neither does a file of 2 MiB.
func TestNotify_AFIFOInTheFilesPlaceHangsNothing(t *testing.T) {
	dir := t.TempDir()
	fifo, large := filepath.Join(dir, "fifo"), filepath.Join(dir, "large")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fifo, large, dir, "/dev/zero"} {
		s := serve(t, "LOGFAST_NOTIFY_FILE="+name)
		s.write("web", "one")
	}
}

// TestSettings_RoutesWithAWrongLine wants the other lines of the file in use.
func TestSettings_RoutesWithAWrongLine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "routes")
	if err := os.WriteFile(name, []byte("users/x\n/users/{slug}/\n/a/{b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := soundSettings(t, []string{"LOGFAST_ROUTES=" + name})
	if got := s.Routes.Of("GET", []byte("/users/ann")); got != "/users/{slug}/" {
		t.Error(got)
	}
	if len(s.wrong) != 2 || !strings.Contains(s.wrong[0].err.Error(), "line 1: write a path that begins with /") || !strings.Contains(s.wrong[1].err.Error(), "line 3") {
		t.Errorf("%v", s.wrong.join())
	}
}
