package options

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestRules_OptionsOfOtherDriversStopNoContainer gives a container options that were
// chosen for another driver. It starts, with a notice for each that is not used as it was
// given; strict rules refuse it for the same reason.
func TestRules_OptionsOfOtherDriversStopNoContainer(t *testing.T) {
	for name, tt := range map[string]struct {
		config map[string]string
		notice string // "": all of them are used
		size   int64  // that is used; 0: the default
	}{
		"json-file": {config: map[string]string{
			"max-size": "10m", "max-file": "3", "compress": "true", "tag": "{{.Name}}", "mode": "non-blocking", "max-buffer-size": "4m",
		}, size: 10e6},
		"compress":    {config: map[string]string{"compress": "F"}},
		"small":       {config: map[string]string{"max-size": "10k"}, notice: "option max-size: it is 10000 bytes; allowed are 64KiB to 4.9GB, such as 100MB", size: MinMaxSize},
		"large":       {config: map[string]string{"max-size": "5g"}, notice: "allowed are 64KiB to 4.9GB", size: MaxMaxSize},
		"no size":     {config: map[string]string{"max-size": "big"}, notice: `option max-size: size "big": write a number with a unit, such as 100MB`},
		"unlimited":   {config: map[string]string{"max-size": "-1"}, notice: `option max-size: size "-1": write a number with a unit`},
		"no count":    {config: map[string]string{"max-file": "abc"}, notice: `option max-file: "abc": write a number of files, such as 3`},
		"no file":     {config: map[string]string{"max-file": "0"}, notice: `option max-file: "0": write a number of files, such as 3`},
		"no bool":     {config: map[string]string{"compress": "gzip"}, notice: `option compress: "gzip": allowed are true, false`},
		"tag":         {config: map[string]string{"tag": "{{.Command}}"}, notice: "option tag={{.Command}}: .Command is not a field of a tag"},
		"long":        {config: map[string]string{"max-size": strings.Repeat("9", 1<<20)}, notice: "option max-size: it has 1048576 bytes; allowed are 16384"},
		"awslogs":     {config: map[string]string{"awslogs-group": "g", "awslogs-region": "r"}, notice: "unknown option awslogs-group of the driver awslogs: set LOGFAST_STORE to a bucket of S3, and LOGFAST_KEY"},
		"loki":        {config: map[string]string{"loki-url": "https://user:hunter2@loki"}, notice: "unknown option loki-url of the driver loki: if Loki is still needed, run Grafana Alloy"},
		"loki's file": {config: map[string]string{"keep-file": "true"}, notice: "unknown option keep-file of the driver loki"},
		"syslog":      {config: map[string]string{"syslog-address": "udp://x"}, notice: "unknown option syslog-address of the driver syslog: set format=syslog and tag"},
		"fluentd":     {config: map[string]string{"fluentd-address": "x:24224"}, notice: "unknown option fluentd-address of the driver fluentd: if Fluentd is still needed, run Fluent Bit"},
		"splunk":      {config: map[string]string{"splunk-token": "hunter2"}, notice: "unknown option splunk-token of the driver splunk"},
		"long name":   {config: map[string]string{"awslogs-" + strings.Repeat("x", 1<<20): ""}, notice: "of the driver awslogs"},
		"nobody's":    {config: map[string]string{"future-option": "x"}, notice: "unknown option future-option"},
	} {
		t.Run(name, func(t *testing.T) {
			rules := someRules()
			info := Info{ContainerName: "/web", Config: tt.config}
			stream, o, err := rules.Parse(info)
			if err != nil || stream.App != "web" {
				t.Fatalf("app %q, %v", stream.App, err)
			}
			if want := max(tt.size, 0); want != 0 && o.MaxSize != want || want == 0 && o.MaxSize != rules.Defaults.MaxSize {
				t.Errorf("max-size %d", o.MaxSize)
			}
			said := strings.Join(o.Notices, "\n")
			if (said == "") != (tt.notice == "") || !strings.Contains(said, tt.notice) || strings.Contains(said, "hunter2") || len(said) > 2000 {
				t.Errorf("notices %.2000s\nwant %s", said, tt.notice)
			}
			rules.Strict = true
			_, _, err = rules.Parse(info)
			if (err == nil) != (tt.notice == "") || err != nil && !strings.Contains(err.Error(), tt.notice) {
				t.Errorf("strict: %v\nwant %s", err, tt.notice)
			}
		})
	}
}

// commonOptions are the options that several of Docker's drivers have, and those that Docker
// handles itself.
var commonOptions = []string{
	"tag", "labels", "labels-regex", "env", "env-regex", "mode", "max-buffer-size",
	"cache-disabled", "cache-max-size", "cache-max-file", "cache-compress",
}

// driversOptions are the further options of Docker's own drivers and of Loki's, as their
// documentation lists them.
var driversOptions = map[string][]string{
	"json-file":  {"max-size", "max-file", "compress"},
	"local":      {"max-size", "max-file", "compress"},
	"journald":   {},
	"syslog":     {"syslog-address", "syslog-facility", "syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify", "syslog-format"},
	"gelf":       {"gelf-address", "gelf-compression-type", "gelf-compression-level", "gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"},
	"fluentd":    {"fluentd-address", "fluentd-async", "fluentd-async-connect", "fluentd-async-reconnect-interval", "fluentd-buffer-limit", "fluentd-max-retries", "fluentd-request-ack", "fluentd-retry-wait", "fluentd-sub-second-precision", "fluentd-read-timeout", "fluentd-write-timeout"},
	"awslogs":    {"awslogs-region", "awslogs-endpoint", "awslogs-group", "awslogs-stream", "awslogs-create-group", "awslogs-create-stream", "awslogs-datetime-format", "awslogs-multiline-pattern", "awslogs-credentials-endpoint", "awslogs-force-flush-interval-seconds", "awslogs-max-buffered-events", "awslogs-format"},
	"splunk":     {"splunk-token", "splunk-url", "splunk-source", "splunk-sourcetype", "splunk-index", "splunk-capath", "splunk-caname", "splunk-insecureskipverify", "splunk-format", "splunk-verify-connection", "splunk-gzip", "splunk-gzip-level"},
	"gcplogs":    {"gcp-project", "gcp-log-cmd", "gcp-meta-zone", "gcp-meta-name", "gcp-meta-id"},
	"logentries": {"logentries-token", "line-only"},
	"loki":       {"loki-url", "loki-external-labels", "loki-timeout", "loki-batch-wait", "loki-batch-size", "loki-min-backoff", "loki-max-backoff", "loki-retries", "loki-pipeline-stage-file", "loki-pipeline-stages", "loki-relabel-config", "loki-tenant-id", "loki-tls-ca-file", "loki-tls-cert-file", "loki-tls-key-file", "loki-tls-server-name", "loki-tls-insecure-skip-verify", "loki-proxy-url", "no-file", "keep-file", "max-size", "max-file"},
}

// TestRules_NoOptionOfAnotherDriverIsRefused: none of these names is so near to one of
// logfast's that it counts as misspelt, whatever its value is.
func TestRules_NoOptionOfAnotherDriverIsRefused(t *testing.T) {
	for driver, options := range driversOptions {
		for _, name := range slices.Concat(options, commonOptions) {
			for _, value := range []string{"", "true", "5", "x"} {
				rules := someRules()
				_, o, err := rules.Parse(Info{ContainerName: "/web", Config: map[string]string{name: value}})
				if err != nil {
					t.Errorf("%s: %s=%s: %v", driver, name, value, err)
				}
				if said := strings.Join(o.Notices, ""); strings.Contains(said, "did you mean") {
					t.Errorf("%s: %s=%s: %s", driver, name, value, said)
				}
			}
		}
	}
}

// TestRules_OptionsOfLogfastAreRefused: what was meant for logfast and is wrong keeps its
// container from starting.
func TestRules_OptionsOfLogfastAreRefused(t *testing.T) {
	for option, want := range map[string]string{
		"format=json":            "allowed are cri, syslog, raw",
		"quiet-period=30":        "write a number with a unit",
		"redcat=x":               `did you mean "redact"?`,
		"fast-track-scope=group": "add group=NAME",
	} {
		rules := someRules()
		name, value, _ := strings.Cut(option, "=")
		if _, _, err := rules.Parse(Info{Config: map[string]string{name: value, "max-file": "x"}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", option, err, want)
		}
	}
}

// TestRules_MaxFileNeedsMaxSize: as with json-file, max-file alone bounds nothing.
func TestRules_MaxFileNeedsMaxSize(t *testing.T) {
	for _, tt := range []struct {
		config map[string]string
		files  int
		size   int64
	}{
		{map[string]string{"max-file": "3", "max-size": "10m"}, 3, 10e6},
		{map[string]string{"max-file": "3", "max-size": "10k"}, 3, MinMaxSize},
		{map[string]string{"max-file": "99999999", "max-size": "10m"}, 1e6, 10e6},
		{map[string]string{"max-file": "3"}, 0, 0},
		{map[string]string{"max-size": "10m"}, 0, 0},
		{map[string]string{"max-size": "10m", "max-file": "x"}, 0, 0},
	} {
		rules := someRules()
		if stream, _, err := rules.Parse(Info{Config: tt.config}); err != nil || stream.MaxFile != tt.files || stream.MaxSize != tt.size {
			t.Errorf("%v: %d files of %d, %v", tt.config, stream.MaxFile, stream.MaxSize, err)
		}
	}
}

// TestRules_ManyUnknownOptions leaves few notices, and none of logfast's own options out.
func TestRules_ManyUnknownOptions(t *testing.T) {
	config := map[string]string{"tag": "x", "format": "raw"}
	for i := range 100_000 {
		config[fmt.Sprint("another-", i)] = ""
	}
	rules := someRules()
	stream, o, err := rules.Parse(Info{Config: config})
	if err != nil || stream.App != "x" || stream.Format != "raw" {
		t.Errorf("%+v, %v", stream, err)
	}
	if n := len(o.Notices); n != maxErrors+1 || !slices.Contains(o.Notices, "and more") {
		t.Errorf("%d notices: %q", n, o.Notices)
	}
}
