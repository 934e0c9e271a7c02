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
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/s3"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify"
	"github.com/logfast/logfast/internal/limit"
	"github.com/logfast/logfast/internal/suggest"
)

// Config is the environment, understood and found to be sound.
type Config struct {
	Spool    string // directory
	FIFOs    string // directory in which Docker makes the FIFOs
	Dir      string // the directory store's directory; empty: S3
	S3       s3.Options
	Key      *spool.KeyTemplate
	Host     string
	UID, GID int // -1: as the process
	Defaults options.Options
	Labels   []string // of a container, to be kept
	Strict   bool     // refuse containers with options that cannot be used
	Routes   *incident.Routes
	Daily    options.Daily
	Keep     time.Duration
	MaxDisk  int64 // bytes that the spool's files may have; 0: no bound
	OnFull   options.OnFull
	Notify   []*notify.Target // who is told of incidents
	LogLevel slog.Level
	Metrics  string        // host:port of metrics and health; empty: on the control socket alone
	Stall    time.Duration // how long segments may be pending without an upload
}

// dockersFIFOs is where Docker makes the FIFOs of a plugin's containers, in the
// plugin's root: config.json's propagatedMount.
const dockersFIFOs = "/run/docker/logging"

// ReadConfig understands an environment of NAME=value strings. Its error has
// one line for each variable that is wrong: name, value, what is allowed.
func ReadConfig(environ []string) (*Config, error) {
	c, errs := understand(settings.Environ(environ))
	if len(errs) > 0 {
		return nil, errs.sorted().join()
	}
	return c, nil
}

// reader reads the variables, and collects what is wrong with them.
type reader struct {
	settings.Values
	problems
}

// read parses a variable's value or its default.
func read[T any](r *reader, name string, parse func(string) (T, error)) T {
	value, err := parse(r.Of(name))
	r.check(name, r.Of(name), err)
	return value
}

// understand reads an environment, and says what is wrong. Of what is wrong
// the configuration has no useful value.
func understand(vars settings.Values) (*Config, problems) {
	r := &reader{Values: vars}
	names := settings.Variables()
	for name, value := range vars {
		if value != "" && strings.HasPrefix(name, settings.Prefix) && !slices.Contains(names, name) {
			near := suggest.Nearest(short(name), names)
			r.problems = append(r.problems, &problem{err: fmt.Errorf("unknown variable %s%s", short(name), near)})
		}
	}
	c := &Config{Spool: r.Of(settings.Spool), FIFOs: dockersFIFOs, UID: -1, GID: -1}
	c.readStore(r)
	c.readHost(r)
	c.readDefaults(r)
	c.readDisk(r)
	c.readOwn(r)
	c.readRoutes(r)
	c.readNotify(r)
	return c, r.problems
}

// absoluteSpool returns the spool's directory, and the default for one that is wrong.
func absoluteSpool(dir string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return settings.SpoolDir
}

func (c *Config) readHost(r *reader) {
	c.Host = r.Of(settings.Host)
	if c.Host == "" {
		var err error
		if c.Host, err = os.Hostname(); err != nil || c.Host == "" {
			c.Host = unknownHost
			err = fmt.Errorf("this host's name is not known (%w): set it", cmp.Or(err, errors.New("it is empty")))
			r.check(settings.Host, "", err)
		}
	}
	r.check(settings.Host, c.Host, checkHost(c.Host))
}

// readDefaults reads the defaults of a container's options, as the options are read.
func (c *Config) readDefaults(r *reader) {
	o := &c.Defaults
	wrong := map[string]bool{}
	for _, s := range settings.All() {
		if s.Option != "" && s.Variable != "" {
			err := o.Set(s.Option, r.Of(s.Variable))
			r.check(s.Variable, r.Of(s.Variable), err)
			wrong[s.Variable] = err != nil
		}
	}
	if !wrong[settings.Quiet] && !wrong[settings.MaxDelay] {
		err := options.ValidatePolicy(o.Policy)
		r.checkPair(settings.Quiet, r.Of(settings.Quiet), settings.MaxDelay, r.Of(settings.MaxDelay), err)
	}
	if !wrong[settings.MaxSize] {
		r.check(settings.MaxSize, r.Of(settings.MaxSize), options.ValidateMaxSize(o.MaxSize))
	}
}

// readDisk reads what is about the files on this host.
func (c *Config) readDisk(r *reader) {
	if !filepath.IsAbs(c.Spool) {
		r.check(settings.Spool, c.Spool, errors.New("write an absolute path"))
	}
	if owner := r.Of(settings.Owner); owner != "" {
		var err error
		c.UID, c.GID, err = parseOwner(owner)
		r.check(settings.Owner, owner, err)
	}
	var err error
	at, zone := r.Of(settings.RotateAt), r.Of(settings.RotateZone)
	c.Daily, err = options.ParseDaily(at, zone)
	r.checkPair(settings.RotateAt, at, settings.RotateZone, zone, err)
	c.Keep = read(r, settings.Keep, parseDays)
	c.MaxDisk = read(r, settings.MaxDisk, parseMaxDisk)
	c.OnFull = read(r, settings.OnFull, options.ParseOnFull)
}

// readOwn reads what is about logfast's own log, metrics and incidents.
func (c *Config) readOwn(r *reader) {
	c.LogLevel = read(r, settings.LogLevel, parseLevel)
	c.Metrics = read(r, settings.Metrics, parseAddress)
	c.Stall = read(r, settings.Stall, parseStall)
	c.Labels = read(r, settings.Labels, options.ParseLabels)
	c.Strict = read(r, settings.Strictness, parseStrict)
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

func parseLevel(s string) (level slog.Level, err error) {
	if level.UnmarshalText([]byte(s)) != nil {
		err = errors.New("allowed are debug, info, warn, error")
	}
	return level, err
}

// parseAddress checks an address to listen on, if there is one.
func parseAddress(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	_, port, err := net.SplitHostPort(s)
	n, notNumber := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || notNumber != nil || n == 0:
		return s, errors.New("write host:port, such as 127.0.0.1:9323; whoever reaches it may read")
	case n < 1024: // CAP_NET_BIND_SERVICE, which is not among needed
		return s, errors.New("choose a port of 1024 or more, such as 127.0.0.1:9323: logfast gives up the right to " +
			"listen on lower ones")
	}
	return s, nil
}

func parseStrict(s string) (strict bool, err error) {
	if s != settings.Lenient && s != settings.Strict {
		err = fmt.Errorf("allowed are %s, %s", settings.Lenient, settings.Strict)
	}
	return s == settings.Strict, err
}

// Bounds of LOGFAST_STALL.
const (
	minStall = time.Second
	maxStall = 24 * time.Hour
)

func parseStall(s string) (time.Duration, error) {
	d, err := options.ParseDuration(s)
	if err == nil && (d < minStall || d > maxStall) {
		err = fmt.Errorf("allowed are %v to %v", minStall, maxStall)
	}
	return d, err
}

// maxRoutesFile bounds the file of patterns of routes, in bytes.
const maxRoutesFile = 1 << 20

// readRoutes reads the file of patterns of routes. A line that is wrong is left
// out alone.
func (c *Config) readRoutes(r *reader) {
	file := r.Of(settings.Routes)
	if file == "" {
		return
	}
	text, err := limit.ReadFile(file, maxRoutesFile)
	if err != nil {
		err = fmt.Errorf("%w; write the patterns to a file in /etc/logfast on the host, such as /etc/logfast/routes",
			err)
	}
	r.check(settings.Routes, file, err)
	var wrong []error
	c.Routes, wrong = incident.ParseRoutes(string(text))
	for _, err := range wrong {
		r.check(settings.Routes, file, err)
	}
}

func (c *Config) readStore(r *reader) {
	c.Key = read(r, settings.Key, spool.ParseKeyTemplate)
	store := r.Of(settings.Store)
	if store == "" {
		store = "file://" + filepath.Join(absoluteSpool(r.Of(settings.Spool)), defaultArchive)
	}
	if rest, ok := strings.CutPrefix(store, "s3://"); ok {
		bucket, prefix, isARN, err := s3.CutARN(rest)
		if isARN {
			r.check(settings.Store, r.Of(settings.Store), err)
			c.readS3(r, bucket, prefix)
			return
		}
	}
	u, err := url.Parse(store)
	switch {
	case err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		// Somebody may have put credentials there: do not repeat the value.
		r.check(settings.Store, "…", errors.New("write s3://bucket/prefix or file:///directory, nothing else; "+
			"credentials have variables and files of their own"))
		return
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
		c.Dir = filepath.Clean(u.Path)
		return
	case u.Scheme != "s3" || u.Host == "":
		r.check(settings.Store, r.Of(settings.Store), errors.New("write s3://bucket/prefix or file:///directory"))
		return
	}
	c.readS3(r, u.Host, strings.Trim(u.Path, "/"))
}

func (c *Config) readS3(r *reader, bucket, path string) {
	c.S3.Bucket = bucket
	if c.S3.Prefix = path; path != "" {
		c.S3.Prefix += "/"
	}
	c.S3.Endpoint, c.S3.Region, c.S3.CAFile = r.Of(settings.Endpoint), r.Of(settings.Region), r.Of(settings.CAFile)
	name := settings.Endpoint
	if c.S3.Endpoint == "" {
		name, c.S3.Endpoint = settings.EndpointAll, r.Of(settings.EndpointAll)
	}
	if c.S3.Region == "" {
		c.S3.Region = r.Of(settings.RegionOld)
	}
	if c.S3.Endpoint != "" {
		u, err := url.Parse(c.S3.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			r.check(name, "…", errors.New("write http://host:port or https://host:port"))
		}
	}
	switch r.Of(settings.PathStyle) {
	case "auto":
		c.S3.PathStyle = c.S3.Endpoint != "" && !strings.HasPrefix(bucket, "arn:")
	case "true", "false":
		c.S3.PathStyle = r.Of(settings.PathStyle) == "true"
	default:
		r.check(settings.PathStyle, r.Of(settings.PathStyle),
			errors.New("allowed are true, false, and auto: true where an endpoint is set"))
	}
	oneOf := func(name string) string {
		value, allowed := r.Of(name), settings.Of(name).Values
		if value != "" && !slices.Contains(allowed, value) {
			r.check(name, value, fmt.Errorf("allowed are %s", strings.Join(allowed, ", ")))
		}
		return value
	}
	c.S3.SSE = oneOf(settings.SSE)
	c.S3.StorageClass = oneOf(settings.StorageClass)
	c.S3.ACL = oneOf(settings.ACL)
	if c.S3.SSEKMSKeyID = r.Of(settings.SSEKMSKeyID); r.Of(settings.SSEKMSKeyID) != "" &&
		!strings.HasPrefix(r.Of(settings.SSE), "aws:kms") {
		r.check(settings.SSEKMSKeyID, r.Of(settings.SSEKMSKeyID), errors.New("goes with "+settings.SSE+"=aws:kms"))
	}
	if r.Of(settings.CAFile) != "" {
		_, err := limit.ReadFile(r.Of(settings.CAFile), limit.CAFile)
		r.check(settings.CAFile, r.Of(settings.CAFile), err)
	}
}

// defaultArchive is where objects go, below the spool, when no store is set.
const defaultArchive = "archive"

// StoreURL is the store's address: file:///directory or s3://bucket/prefix/.
func (c *Config) StoreURL() string {
	switch {
	case c.Dir != "":
		return "file://" + c.Dir
	case c.S3.Bucket != "":
		return c.S3.URL("")
	}
	return "none: LOGFAST_STORE is wrong"
}

// objectURL is the address of the object with this key; of no key, what stands before
// all of them.
func (c *Config) objectURL(key string) string {
	if c.Dir != "" {
		return strings.TrimSuffix(c.StoreURL(), "/") + "/" + key
	}
	return c.StoreURL() + key
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
const minMaxDisk = 8 * options.MinMaxSize

// parseMaxDisk reads a size, or 0 for no bound.
func parseMaxDisk(s string) (int64, error) {
	if s == "0" {
		return 0, nil
	}
	n, err := options.ParseSize(s)
	if err == nil && n < minMaxDisk {
		err = fmt.Errorf("allowed are %dKiB and more, and 0 for no bound", minMaxDisk>>10)
	}
	return n, err
}
