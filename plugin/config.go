package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caarlos0/env/v11"

	"github.com/logfast/logfast/driver/capture"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/s3"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify"
	"github.com/logfast/logfast/internal/limit"
	"github.com/logfast/logfast/internal/suggest"
)

// Environment is every variable that logfast reads itself, as text. An empty
// one counts as unset. The AWS SDK reads its own besides: credentials, profile,
// role, web identity token.
type Environment struct {
	Spool       string `env:"LOGFAST_SPOOL" envDefault:"/var/log/logfast"` // defaultSpool
	Store       string `env:"LOGFAST_STORE"`
	Key         string `env:"LOGFAST_KEY"`
	Host        string `env:"LOGFAST_HOST"`
	Owner       string `env:"LOGFAST_OWNER"`
	Format      string `env:"LOGFAST_FORMAT" envDefault:"cri"`
	Scope       string `env:"LOGFAST_FAST_TRACK_SCOPE" envDefault:"container"`
	Quiet       string `env:"LOGFAST_QUIET_PERIOD" envDefault:"30s"`
	MaxDelay    string `env:"LOGFAST_MAX_DELAY" envDefault:"5m"`
	MaxSize     string `env:"LOGFAST_MAX_SIZE" envDefault:"100MB"`
	Fsync       string `env:"LOGFAST_FSYNC" envDefault:"interval"`
	Detect      string `env:"LOGFAST_DETECT" envDefault:"auto"`
	Status      string `env:"LOGFAST_STATUS" envDefault:"500-599"`
	Pattern     string `env:"LOGFAST_PATTERN"`
	Exclude     string `env:"LOGFAST_EXCLUDE_PATH"`
	Signals     string `env:"LOGFAST_SIGNALS" envDefault:"off"`
	Redact      string `env:"LOGFAST_REDACT"`
	Labels      string `env:"LOGFAST_LABELS"`
	Routes      string `env:"LOGFAST_ROUTES"`
	ReadArchive string `env:"LOGFAST_READ_ARCHIVE" envDefault:"false"`
	RotateAt    string `env:"LOGFAST_ROTATE_AT" envDefault:"00:00"`
	RotateZone  string `env:"LOGFAST_ROTATE_ZONE" envDefault:"UTC"`
	Keep        string `env:"LOGFAST_KEEP" envDefault:"7d"`
	MaxDisk     string `env:"LOGFAST_MAX_DISK" envDefault:"10GB"`
	OnFull      string `env:"LOGFAST_ON_FULL" envDefault:"drop"`
	LogLevel    string `env:"LOGFAST_LOG_LEVEL" envDefault:"info"`
	Metrics     string `env:"LOGFAST_METRICS"`
	Stall       string `env:"LOGFAST_STALL" envDefault:"10m"`

	Notify     string `env:"LOGFAST_NOTIFY"`
	NotifyFile string `env:"LOGFAST_NOTIFY_FILE" envDefault:"/etc/logfast/notify"`
	NotifyOn   string `env:"LOGFAST_NOTIFY_ON" envDefault:"shipped"`

	PathStyle    string `env:"LOGFAST_S3_PATH_STYLE" envDefault:"auto"`
	SSE          string `env:"LOGFAST_S3_SSE"`
	SSEKMSKeyID  string `env:"LOGFAST_S3_SSE_KMS_KEY_ID"`
	StorageClass string `env:"LOGFAST_S3_STORAGE_CLASS"`
	ACL          string `env:"LOGFAST_S3_ACL"`

	Endpoint    string `env:"AWS_ENDPOINT_URL_S3"`
	EndpointAll string `env:"AWS_ENDPOINT_URL"`
	Region      string `env:"AWS_REGION"`
	RegionOld   string `env:"AWS_DEFAULT_REGION"`
	CAFile      string `env:"AWS_CA_BUNDLE"`
}

// Config is the environment, understood and found to be sound.
type Config struct {
	Spool    string // directory
	FIFOs    string // directory in which Docker makes the FIFOs
	Dir      string // the directory store's directory; empty: S3
	S3       s3.Options
	Key      *spool.KeyTemplate
	Host     string
	UID, GID int // -1: as the process
	Defaults capture.Options
	Labels   []string // of a container, to be kept
	Routes   *incident.Routes
	Daily    capture.Daily
	Keep     time.Duration
	MaxDisk  int64 // bytes that the spool's files may have; 0: no bound
	OnFull   capture.OnFull
	Notify   []*notify.Target // who is told of incidents
	LogLevel slog.Level
	Metrics  string        // host:port of metrics and health; empty: on the control socket alone
	Stall    time.Duration // how long segments may be pending without an upload
}

// defaultSpool is the directory in the plugin's root where the log files are.
const defaultSpool = "/var/log/logfast"

// dockersFIFOs is where Docker makes the FIFOs of a plugin's containers, in the
// plugin's root: config.json's propagatedMount.
const dockersFIFOs = "/run/docker/logging"

// prefix begins the names of logfast's own variables.
const prefix = "LOGFAST_"

// ReadConfig understands an environment of NAME=value strings. Its error has
// one line for each variable that is wrong: name, value, what is allowed.
func ReadConfig(environ []string) (*Config, error) {
	c, errs := understand(env.ToMap(environ))
	if len(errs) > 0 {
		return nil, errs.sorted().join()
	}
	return c, nil
}

// understand reads an environment, and says what is wrong. Of what is wrong
// the configuration has no useful value.
func understand(vars map[string]string) (*Config, problems) {
	var e Environment
	var errs problems
	if err := env.ParseWithOptions(&e, env.Options{Environment: vars}); err != nil {
		errs = append(errs, &problem{err: err}) // all are texts: it cannot fail
	}
	names := VariableNames()
	for name, value := range vars {
		if value != "" && strings.HasPrefix(name, prefix) && !slices.Contains(names, name) {
			errs = append(errs, &problem{err: fmt.Errorf("unknown variable %s%s", short(name), suggest.Nearest(short(name), names))})
		}
	}
	c := &Config{Spool: e.Spool, FIFOs: dockersFIFOs, Host: e.Host, UID: -1, GID: -1}
	c.readStore(&e, &errs)
	c.readCapture(&e, &errs)
	c.readNotify(&e, &errs)
	return c, errs
}

// VariableNames lists the variables of Environment.
func VariableNames() []string {
	var names []string
	for f := range reflect.TypeFor[Environment]().Fields() {
		names = append(names, f.Tag.Get("env"))
	}
	return names
}

func (c *Config) readCapture(e *Environment, errs *problems) {
	var err error
	if !filepath.IsAbs(e.Spool) {
		errs.check("LOGFAST_SPOOL", e.Spool, errors.New("write an absolute path"))
	}
	if c.Host == "" {
		if c.Host, err = os.Hostname(); err != nil || c.Host == "" {
			c.Host = unknownHost
			errs.check("LOGFAST_HOST", "", fmt.Errorf("this host's name is not known (%w): set it", cmp.Or(err, errors.New("it is empty"))))
		}
	}
	errs.check("LOGFAST_HOST", c.Host, checkHost(c.Host))
	if e.Owner != "" {
		c.UID, c.GID, err = parseOwner(e.Owner)
		errs.check("LOGFAST_OWNER", e.Owner, err)
	}
	c.Defaults.Format, err = record.ParseFormat(e.Format)
	errs.check("LOGFAST_FORMAT", e.Format, err)
	c.Defaults.Scope, err = capture.ParseScope(e.Scope)
	errs.check("LOGFAST_FAST_TRACK_SCOPE", e.Scope, err)
	quiet, err := capture.ParseDuration(e.Quiet)
	errs.check("LOGFAST_QUIET_PERIOD", e.Quiet, err)
	delay, delayErr := capture.ParseDuration(e.MaxDelay)
	errs.check("LOGFAST_MAX_DELAY", e.MaxDelay, delayErr)
	if err == nil && delayErr == nil {
		c.Defaults.Policy = fasttrack.Policy{Quiet: quiet, MaxDelay: delay}
		errs.checkPair("LOGFAST_QUIET_PERIOD", e.Quiet, "LOGFAST_MAX_DELAY", e.MaxDelay, capture.ValidatePolicy(c.Defaults.Policy))
	}
	if c.Defaults.MaxSize, err = capture.ParseSize(e.MaxSize); err == nil {
		err = capture.ValidateMaxSize(c.Defaults.MaxSize)
	}
	errs.check("LOGFAST_MAX_SIZE", e.MaxSize, err)
	c.Defaults.Fsync, err = capture.ParseFsync(e.Fsync)
	errs.check("LOGFAST_FSYNC", e.Fsync, err)
	c.readDetect(e, errs)
	c.Defaults.ReadArchive, err = capture.ParseBool(e.ReadArchive)
	errs.check("LOGFAST_READ_ARCHIVE", e.ReadArchive, err)
	c.Daily, err = capture.ParseDaily(e.RotateAt, e.RotateZone)
	errs.checkPair("LOGFAST_ROTATE_AT", e.RotateAt, "LOGFAST_ROTATE_ZONE", e.RotateZone, err)
	c.Keep, err = parseDays(e.Keep)
	errs.check("LOGFAST_KEEP", e.Keep, err)
	c.MaxDisk, err = parseMaxDisk(e.MaxDisk)
	errs.check("LOGFAST_MAX_DISK", e.MaxDisk, err)
	c.OnFull, err = capture.ParseOnFull(e.OnFull)
	errs.check("LOGFAST_ON_FULL", e.OnFull, err)
	errs.check("LOGFAST_LOG_LEVEL", e.LogLevel, parseLevel(e.LogLevel, &c.LogLevel))
	c.Metrics = e.Metrics
	errs.check("LOGFAST_METRICS", e.Metrics, checkAddress(e.Metrics))
	if c.Stall, err = capture.ParseDuration(e.Stall); err == nil && (c.Stall < minStall || c.Stall > maxStall) {
		err = fmt.Errorf("allowed are %v to %v", minStall, maxStall)
	}
	errs.check("LOGFAST_STALL", e.Stall, err)
}

// unknownHost is this host where its name cannot be found out.
const unknownHost = "unknown-host"

// checkHost says what is wrong with a host's name, if anything is. It stands in
// keys, in each record of format=syslog and in incidents.
func checkHost(s string) error {
	if len(s) > 255 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("write a name of at most 255 bytes, without control characters")
	}
	return nil
}

func parseLevel(s string, to *slog.Level) error {
	if to.UnmarshalText([]byte(s)) != nil {
		return errors.New("allowed are debug, info, warn, error")
	}
	return nil
}

// checkAddress says what is wrong with an address to listen on; an empty one is
// none.
func checkAddress(s string) error {
	if s == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(s)
	n, notNumber := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || notNumber != nil || n == 0:
		return errors.New("write host:port, such as 127.0.0.1:9323; whoever reaches it may read")
	case n < 1024: // CAP_NET_BIND_SERVICE, which is not among needed
		return errors.New("choose a port of 1024 or more, such as 127.0.0.1:9323: logfast gives up the right to listen on lower ones")
	}
	return nil
}

// Bounds of LOGFAST_STALL.
const (
	minStall = time.Second
	maxStall = 24 * time.Hour
)

func (c *Config) readDetect(e *Environment, errs *problems) {
	d := &c.Defaults.Detect
	var err error
	d.Mode, err = detect.ParseMode(e.Detect)
	errs.check("LOGFAST_DETECT", e.Detect, err)
	d.Status, err = detect.ParseStatuses(e.Status)
	errs.check("LOGFAST_STATUS", e.Status, err)
	d.Pattern, err = detect.ParsePattern(e.Pattern)
	errs.check("LOGFAST_PATTERN", e.Pattern, err)
	d.ExcludePath, err = detect.ParseExclude(e.Exclude)
	errs.check("LOGFAST_EXCLUDE_PATH", e.Exclude, err)
	d.Signals, err = detect.ParseSignals(e.Signals)
	errs.check("LOGFAST_SIGNALS", e.Signals, err)
	c.Defaults.Redact, err = incident.ParseRedact(e.Redact)
	errs.check("LOGFAST_REDACT", e.Redact, err)
	c.Labels, err = capture.ParseLabels(e.Labels)
	errs.check("LOGFAST_LABELS", e.Labels, err)
	c.readRoutes(e, errs)
}

// maxRoutesFile bounds the file of patterns of routes, in bytes.
const maxRoutesFile = 1 << 20

// readRoutes reads the file of patterns of routes. A line that is wrong is left
// out alone.
func (c *Config) readRoutes(e *Environment, errs *problems) {
	if e.Routes == "" {
		return
	}
	text, err := limit.ReadFile(e.Routes, maxRoutesFile)
	if err != nil {
		err = fmt.Errorf("%w; write the patterns to a file in /etc/logfast on the host, such as /etc/logfast/routes", err)
	}
	errs.check("LOGFAST_ROUTES", e.Routes, err)
	var wrong []error
	c.Routes, wrong = incident.ParseRoutes(string(text))
	for _, err := range wrong {
		errs.check("LOGFAST_ROUTES", e.Routes, err)
	}
}

func (c *Config) readStore(e *Environment, errs *problems) {
	template := e.Key
	if template == "" {
		template = spool.DefaultKey
	}
	var err error
	c.Key, err = spool.ParseKeyTemplate(template)
	errs.check("LOGFAST_KEY", e.Key, err)

	store := e.Store
	if store == "" {
		spool := e.Spool
		if !filepath.IsAbs(spool) {
			spool = defaultSpool
		}
		store = "file://" + filepath.Join(spool, defaultArchive)
	}
	if rest, ok := strings.CutPrefix(store, "s3://"); ok {
		bucket, prefix, isARN, err := s3.CutARN(rest)
		if isARN {
			errs.check("LOGFAST_STORE", e.Store, err)
			c.readS3(e, bucket, prefix, errs)
			return
		}
	}
	u, err := url.Parse(store)
	switch {
	case err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		// Somebody may have put credentials there: do not repeat the value.
		errs.check("LOGFAST_STORE", "…", errors.New("write s3://bucket/prefix or file:///directory, nothing else; credentials have variables and files of their own"))
		return
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
		c.Dir = filepath.Clean(u.Path)
		return
	case u.Scheme != "s3" || u.Host == "":
		errs.check("LOGFAST_STORE", e.Store, errors.New("write s3://bucket/prefix or file:///directory"))
		return
	}
	c.readS3(e, u.Host, strings.Trim(u.Path, "/"), errs)
}

// storageClasses and encryptions are those that S3 knows for a put.
var (
	storageClasses = []string{"STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE", "REDUCED_REDUNDANCY", "EXPRESS_ONEZONE"}
	encryptions    = []string{"AES256", "aws:kms", "aws:kms:dsse"}
	acls           = []string{"private", "bucket-owner-full-control", "bucket-owner-read", "aws-exec-read"} // none that makes logs public
)

func (c *Config) readS3(e *Environment, bucket, path string, errs *problems) {
	c.S3.Bucket = bucket
	if c.S3.Prefix = path; path != "" {
		c.S3.Prefix += "/"
	}
	c.S3.Endpoint, c.S3.Region, c.S3.CAFile = e.Endpoint, e.Region, e.CAFile
	name := "AWS_ENDPOINT_URL_S3"
	if c.S3.Endpoint == "" {
		name, c.S3.Endpoint = "AWS_ENDPOINT_URL", e.EndpointAll
	}
	if c.S3.Region == "" {
		c.S3.Region = e.RegionOld
	}
	if c.S3.Endpoint != "" {
		u, err := url.Parse(c.S3.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			errs.check(name, "…", errors.New("write http://host:port or https://host:port"))
		}
	}
	switch e.PathStyle {
	case "auto":
		c.S3.PathStyle = c.S3.Endpoint != "" && !strings.HasPrefix(bucket, "arn:")
	case "true", "false":
		c.S3.PathStyle = e.PathStyle == "true"
	default:
		errs.check("LOGFAST_S3_PATH_STYLE", e.PathStyle, errors.New("allowed are true, false, and auto: true where an endpoint is set"))
	}
	oneOf := func(name, value string, allowed []string) string {
		if value != "" && !slices.Contains(allowed, value) {
			errs.check(name, value, fmt.Errorf("allowed are %s", strings.Join(allowed, ", ")))
		}
		return value
	}
	c.S3.SSE = oneOf("LOGFAST_S3_SSE", e.SSE, encryptions)
	c.S3.StorageClass = oneOf("LOGFAST_S3_STORAGE_CLASS", e.StorageClass, storageClasses)
	c.S3.ACL = oneOf("LOGFAST_S3_ACL", e.ACL, acls)
	if c.S3.SSEKMSKeyID = e.SSEKMSKeyID; e.SSEKMSKeyID != "" && !strings.HasPrefix(e.SSE, "aws:kms") {
		errs.check("LOGFAST_S3_SSE_KMS_KEY_ID", e.SSEKMSKeyID, errors.New("goes with LOGFAST_S3_SSE=aws:kms"))
	}
	if e.CAFile != "" {
		_, err := limit.ReadFile(e.CAFile, limit.CAFile)
		errs.check("AWS_CA_BUNDLE", e.CAFile, err)
	}
}

// defaultArchive is where objects go, below the spool, when no store is set.
const defaultArchive = "archive"

// storeURL is the store's address, to which a key can be added.
func (c *Config) storeURL() string {
	if c.Dir == "" && c.S3.Bucket == "" {
		return "none: LOGFAST_STORE is wrong"
	}
	if c.Dir != "" {
		return "file://" + strings.TrimSuffix(c.Dir, "/") + "/"
	}
	return "s3://" + c.S3.Bucket + "/" + c.S3.Prefix
}

// Store is a store of which an object's attributes can be had alone.
type Store interface {
	store.Store
	archive.Store
}

// OpenStore opens the store. It asks nothing of the network.
func (c *Config) OpenStore(ctx context.Context) (Store, func() error, error) {
	if c.Dir == "" {
		store, err := s3.Open(ctx, c.S3)
		return store, func() error { return nil }, err
	}
	store, err := store.OpenDir(c.Dir, store.DirOptions{UID: c.UID, GID: c.GID})
	if err != nil {
		return nil, nil, err
	}
	return store, store.Close, nil
}

func parseOwner(s string) (uid, gid int, err error) {
	user, group, found := strings.Cut(s, ":")
	uid, userErr := strconv.Atoi(user)
	gid, groupErr := strconv.Atoi(group)
	if !found || userErr != nil || groupErr != nil || uid < 0 || gid < 0 {
		return -1, -1, errors.New("write numbers as uid:gid, such as 0:4; the plugin does not know the host's names")
	}
	return uid, gid, nil
}

// parseDays reads "7d" as days and everything else as time.ParseDuration does.
func parseDays(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return d, nil
	}
	return 0, errors.New("write a number with a unit, such as 7d or 12h")
}

// minMaxDisk is the smallest budget, in bytes: eight times the smallest segment.
const minMaxDisk = 8 * capture.MinMaxSize

// parseMaxDisk reads a size, or 0 for no bound.
func parseMaxDisk(s string) (int64, error) {
	if s == "0" {
		return 0, nil
	}
	n, err := capture.ParseSize(s)
	if err == nil && n < minMaxDisk {
		err = fmt.Errorf("allowed are %dKiB and more, and 0 for no bound", minMaxDisk>>10)
	}
	return n, err
}

// ConfigDir is the directory in the plugin's root where the operator's files are.
const ConfigDir = "/etc/logfast"

// CredentialsFile and ConfigFile are where the plugin looks for the AWS SDK's
// files, as config.json says.
const (
	CredentialsFile = "/etc/logfast/credentials"
	ConfigFile      = "/etc/logfast/config"
)
