package options

import (
	"fmt"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/internal/suggest"
)

// dockers are the options that Docker handles itself and also passes to the plugin.
var dockers = []string{
	"mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress",
}

// jsonFiles are the options that json-file, Docker's default driver, has too. Their
// values were often chosen for json-file.
var jsonFiles = []string{
	settings.OptMaxSize, settings.OptMaxFile, settings.OptCompress, settings.OptTag, settings.OptLabels,
	settings.OptLabelsRegex, settings.OptEnv, settings.OptEnvRegex,
}

// other is another logging driver.
type other struct {
	driver  string
	prefix  string   // begins the names of its options
	options []string // the names that begin otherwise
	instead string   // what to do with logfast
}

// readFiles is what another service's agent does in place of that service's driver.
const readFiles = "let it read the files in /var/log/logfast"

// others are the drivers whose options people bring along.
var others = []other{
	{
		driver: "awslogs", prefix: "awslogs-",
		instead: "set LOGFAST_STORE to a bucket of S3, and LOGFAST_KEY to the names of its objects, such as " +
			"logs/{label:team}/{app}/{time}-{seq}.log.gz",
	},
	{
		driver: "loki", prefix: "loki-", options: []string{"no-file", "keep-file"},
		instead: "if Loki is still needed, run Grafana Alloy or Promtail and " + readFiles + " with its stage cri",
	},
	{
		driver: "syslog", prefix: "syslog-",
		instead: "set format=syslog and tag; if a syslog server is still needed, run a syslog daemon and " + readFiles,
	},
	{
		driver: "fluentd", prefix: "fluentd-",
		instead: "if Fluentd is still needed, run Fluent Bit or Fluentd and " + readFiles + " with its parser cri",
	},
	{
		driver: "gelf", prefix: "gelf-",
		instead: "if Graylog is still needed, run a log collector and " + readFiles,
	},
	{
		driver: "splunk", prefix: "splunk-",
		instead: "if Splunk is still needed, run a forwarder and " + readFiles,
	},
	{
		driver: "gcplogs", prefix: "gcp-",
		instead: "set LOGFAST_STORE to a bucket; if Cloud Logging is still needed, run the Ops Agent and " + readFiles,
	},
	{
		driver: "logentries", prefix: "logentries-", options: []string{"line-only"},
		instead: "if Logentries is still needed, run its agent and " + readFiles,
	},
}

// unknown says what to do about an option that logfast does not have. misspelt reports
// whether the name is nearly that of an option of logfast.
func unknown(name string, known []string) (misspelt bool, err error) {
	for i := range others {
		if of := &others[i]; strings.HasPrefix(name, of.prefix) || slices.Contains(of.options, name) {
			return false, fmt.Errorf("unknown option %.64s of the driver %s: %s", name, of.driver, of.instead)
		}
	}
	if len(name) > 64 {
		return false, fmt.Errorf("unknown option %.64q…", name)
	}
	return suggest.Misspelt(name, known), fmt.Errorf("unknown option %s%s", name, suggest.Nearest(name, known))
}
