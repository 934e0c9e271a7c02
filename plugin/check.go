package plugin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage/notify"
	"github.com/logfast/logfast/internal/refused"
	"github.com/logfast/logfast/plugin/control"
)

// TestObject is the key, below the prefix, of the object that a check puts, gets
// and deletes. It always has the same bytes, so that where nobody may delete it
// there is one of it.
const TestObject = "logfast-check.txt"

const testText = "logfast check has put this. It is read back and deleted; where the rights to delete are missing it " +
	"stays, and may be deleted by anybody.\n"

// checkTime bounds what a check waits for the store, all in all.
const checkTime = 30 * time.Second

// Check looks at a configuration, at the disk and at the store, and says of
// everything that is wrong what to do. inside says that this is the plugin
// itself, whose paths are its own.
func Check(ctx context.Context, environ []string, inside bool) []control.Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	c := &checker{inside: inside, self: refused.This()}
	cfg, wrong := c.configuration(environ)
	usable := !slices.ContainsFunc(wrong, func(p *problem) bool { return p.effect() != leftOut })
	if !usable {
		return c.all
	}
	c.environment(environ, cfg)
	c.spool(cfg)
	c.disk(cfg)
	c.targets(ctx, cfg)
	c.store(ctx, cfg)
	c.key(cfg)
	return c.all
}

// CheckSettings looks at a configuration alone, and at the files of settings that
// it names. It neither writes nor asks anything of the network.
func CheckSettings(environ []string) []control.Finding {
	c := &checker{self: refused.This()}
	cfg, _ := c.configuration(environ)
	c.environment(environ, cfg)
	return c.all
}

func (c *checker) configuration(environ []string) (*Config, problems) {
	cfg, wrong := understand(settings.Environ(environ))
	for _, p := range wrong.sorted() {
		c.fail("configuration", p.err.Error(), c.setRight(p))
	}
	if len(wrong) == 0 {
		c.ok("configuration", "%d variables are set, and understood", ours(environ))
	}
	return cfg, wrong
}

// setRight says how to correct what is wrong.
func (c *checker) setRight(p *problem) string {
	if slices.Contains(p.names, settings.NotifyFile) {
		return "Correct this in the file on the host, then docker plugin disable -f logfast; docker plugin enable " +
			"--timeout 0 logfast. The other targets are notified"
	}
	return "Set it right: " + c.how("NAME=value")
}

func ours(environ []string) (n int) {
	for _, v := range environ {
		if name, value, _ := strings.Cut(v, "="); value != "" &&
			(strings.HasPrefix(name, settings.Prefix) || strings.HasPrefix(name, settings.PrefixAWS)) {
			n++
		}
	}
	return n
}

// checker collects what is found.
type checker struct {
	inside bool
	self   refused.Process // which runs the check
	all    []control.Finding
}

// refused says what to do after "permission denied".
func (c *checker) refused() string {
	if c.inside {
		return c.self.Reason(refused.Plugin)
	}
	return c.self.Reason(refused.Operator)
}

func (c *checker) ok(check, format string, args ...any) {
	c.all = append(c.all, control.Finding{Check: check, Result: control.OK, Detail: fmt.Sprintf(format, args...)})
}

func (c *checker) warn(check, detail, remedy string) {
	c.all = append(c.all, control.Finding{Check: check, Result: control.Warn, Detail: detail, Remedy: remedy})
}

func (c *checker) fail(check, detail, remedy string) {
	c.all = append(c.all, control.Finding{Check: check, Result: control.Fail, Detail: detail, Remedy: remedy})
}

// how says how a setting is changed.
func (c *checker) how(setting string) string {
	if c.inside {
		return "docker plugin disable -f logfast; docker plugin set logfast " + setting +
			"; docker plugin enable --timeout 0 logfast"
	}
	return "write " + setting + " into the file, and set the plugin so"
}

func (c *checker) environment(environ []string, cfg *Config) {
	for _, name := range visibleSecrets(environ) {
		remedy := "Put the keys into /etc/logfast/credentials on the host, and take the variable away: " +
			c.how(name+"=")
		switch {
		case strings.HasSuffix(name, "_PROXY"):
			remedy = "Use a proxy that knows this host by its address, without a password, and set the variable so: " +
				c.how(name+"=http://HOST:PORT")
		case name == settings.Token:
			remedy = "Put the token into a file below /etc/logfast: " +
				c.how(settings.TokenFile+"="+settings.Of(name).Keep+" "+name+"=")
		}
		c.warn("secrets", name+" is among the settings with a secret, which docker plugin inspect shows to everybody "+
			"who may use Docker", remedy)
	}
	if host, _, _ := net.SplitHostPort(cfg.Metrics); cfg.Metrics != "" && !net.ParseIP(host).IsLoopback() &&
		host != "localhost" {
		c.warn("metrics",
			settings.Metrics+"="+cfg.Metrics+" answers whoever reaches that address, with containers' names and counts",
			"Use 127.0.0.1, or a firewall")
	}
}

// slowSync is how long an fsync may take without being remarkable.
const slowSync = time.Second

// spool writes a file where segments go, and brings it to the disk.
func (c *checker) spool(cfg *Config) {
	const check = "spool"
	took, err := trySpool(cfg.Spool)
	switch {
	case errors.Is(err, os.ErrNotExist):
		c.fail(check, err.Error(), "Make the directory on the host, or name another: "+c.howSpool())
	case errors.Is(err, os.ErrPermission):
		c.fail(check, err.Error(), "Remove what refuses it: "+c.refused())
	case spool.Full(err):
		c.fail(check, err.Error(),
			"Make room on the disk, or lower LOGFAST_MAX_DISK; what logfast does meanwhile says LOGFAST_ON_FULL")
	case errors.Is(err, unix.EROFS):
		c.fail(check, err.Error(),
			"The file system is read-only: dmesg says why; mount it for writing again, and logfast goes on by itself")
	case err != nil:
		c.fail(check, err.Error(), "The disk refuses: dmesg and smartctl say more")
	case took >= slowSync:
		c.warn(check, fmt.Sprintf("%s can be written, but an fsync took %v", cfg.Spool, took.Round(time.Millisecond)),
			"Put the logs on a disk of their own or a faster one: "+c.howSpool())
	default:
		c.ok(check, "%s can be written; an fsync took %v", cfg.Spool, took.Round(time.Microsecond))
	}
}

// targets connects to each notify target, and sends nothing. A target that cannot be
// reached is a warning: its messages wait, and the rest works; and another host than
// the plugin's may not reach it.
func (c *checker) targets(ctx context.Context, cfg *Config) {
	const check = "notify"
	for _, r := range notify.ReachAll(ctx, cfg.Notify) {
		where := r.Address
		if r.Proxy {
			where = "the proxy " + where
		}
		switch {
		case r.Address == "":
			c.ok(check, "%s is understood; logfast does not know the service's host, and did not connect",
				r.Target.Name)
		case r.Err != nil:
			remedy := r.Advice()
			if !c.inside {
				remedy += "; if only the plugin's host reaches it, run logfast check there"
			}
			c.warn(check, fmt.Sprintf("%s cannot be reached: %s: %v", r.Target.Name, where, r.Err), remedy)
		default:
			c.ok(check, "%s can be reached at %s; to send a test message: logfast notify --test %s",
				r.Target.Name, where, r.Target.ID())
		}
	}
}

func (c *checker) howSpool() string {
	return "docker plugin disable -f logfast; docker plugin set logfast logs.source=DIRECTORY; docker plugin enable " +
		"--timeout 0 logfast"
}

// trySpool writes and syncs a file of its own in a directory.
func trySpool(dir string) (took time.Duration, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close() //nolint:errcheck // nothing is written by it
	const name = ".check.tmp"
	_ = root.Remove(name) // of one that was cut off
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	start := time.Now()
	_, err = f.Write(make([]byte, 4096))
	if err == nil {
		err = f.Sync()
	}
	return time.Since(start), errors.Join(err, root.Remove(name))
}

func (c *checker) disk(cfg *Config) {
	const check = "disk"
	var fs unix.Statfs_t
	if err := unix.Statfs(cfg.Spool, &fs); err != nil {
		return // spool has said what is wrong
	}
	size, free := int64(fs.Blocks)*fs.Bsize, int64(fs.Bfree)*fs.Bsize
	human := func(n int64) string { return units.HumanSize(float64(n)) }
	room := fmt.Sprintf("%s free of %s", human(free), human(size))
	switch {
	case fs.Files > 0 && fs.Ffree < 1000:
		c.fail(check, fmt.Sprintf("%d inodes are free: soon no file can be made", fs.Ffree),
			"Remove small files, or move the spool: "+c.howSpool())
	case free < 64<<20:
		c.fail(check, room, "Make room; until then the oldest segments go, or containers wait (LOGFAST_ON_FULL)")
	case cfg.MaxDisk == 0:
		c.warn(check, room+"; LOGFAST_MAX_DISK=0 lets the logs fill the disk when the store cannot be reached",
			"Set a bound: "+c.how(settings.MaxDisk+"="+settings.Of(settings.MaxDisk).Default))
	case cfg.MaxDisk > size:
		c.warn(check,
			fmt.Sprintf("%s; the budget LOGFAST_MAX_DISK is %s, more than the disk has", room, human(cfg.MaxDisk)),
			"Set one that leaves room: "+c.how(settings.MaxDisk+"="+human(size/2)))
	case cfg.MaxDisk > free && cfg.MaxDisk > size/2:
		c.warn(check, fmt.Sprintf("%s; the budget LOGFAST_MAX_DISK is %s: others share this disk, and it may "+
			"be full before", room, human(cfg.MaxDisk)),
			"Set one that leaves room: "+c.how(settings.MaxDisk+"="+human(free/2)))
	default:
		c.ok(check, "%s; the budget is %s", room, human(cfg.MaxDisk))
	}
}

// These are what a store may know besides.
type (
	clock interface {
		ServerTime(ctx context.Context) (time.Time, error)
	}
	keyring interface {
		Credentials(ctx context.Context) (source, id string, expires time.Time, err error)
	}
)

// Differences of the clocks, beyond which somebody should know, and beyond which
// S3 refuses what is signed.
const (
	smallSkew = 30 * time.Second
	largeSkew = 15 * time.Minute
)

func (c *checker) store(ctx context.Context, cfg *Config) {
	store, end, err := cfg.OpenStore(ctx)
	if err != nil {
		c.failStore("store", err)
		return
	}
	defer end() //nolint:errcheck // nothing was promised yet
	if keys, ok := store.(keyring); ok {
		source, id, expires, err := keys.Credentials(ctx)
		switch {
		case err != nil:
			c.failStore("credentials", err)
			return
		case !expires.IsZero():
			c.ok("credentials", "%s, from %s, until %s", id, source, expires.UTC().Format(time.RFC3339))
		default:
			c.ok("credentials", "%s, from %s", id, source)
		}
	}
	if server, ok := store.(clock); ok {
		at, err := server.ServerTime(ctx)
		if err != nil {
			c.failStore("store", err)
			return
		}
		c.clock(time.Since(at))
	}
	c.roundTrip(ctx, cfg, store)
}

func (c *checker) clock(skew time.Duration) {
	off := skew.Abs().Round(time.Second)
	switch {
	case off >= largeSkew:
		c.fail("clock", fmt.Sprintf("this clock and the store's are %v apart: S3 refuses what is signed so, and keys "+
			"bear wrong times", off), "Set the clock: timedatectl set-ntp true, or chronyc makestep")
	case off >= smallSkew:
		c.warn("clock", fmt.Sprintf("this clock and the store's are %v apart", off),
			"Let a time server set it: timedatectl set-ntp true")
	default:
		c.ok("clock", "within %v of the store's", max(off, time.Second))
	}
}

func (c *checker) list(ctx context.Context, objects store.Store) {
	for e, err := range objects.List(ctx, TestObject, "") {
		if err != nil && strings.Contains(err.Error(), "does not answer like S3") {
			c.failStore("list", err)
			return
		}
		if err != nil {
			text, _ := store.Advice(err)
			c.warn("list", text,
				"The plugin does not need it; to read the archive with logfast ls, cat and grep, allow s3:ListBucket")
			return
		}
		if e.Key == TestObject {
			c.ok("list", "the object is found")
			return
		}
	}
	c.warn("list", "the store does not list what was just put", "Reading the archive may miss the newest objects; "+
		"ask whoever runs the store about the consistency of its listings")
}

// failStore notes that the store refused, with the remedy that its error has.
func (c *checker) failStore(check string, err error) {
	text, remedy := store.Advice(err)
	switch {
	case remedy != "":
	case errors.Is(err, context.DeadlineExceeded):
		remedy = "The store does not answer in time: check the endpoint, the proxy and the firewall"
	case errors.Is(err, os.ErrPermission):
		remedy = "Let logfast write there: " + c.refused()
	default:
		remedy = "Try again: it may pass. If it does not, check the endpoint, the bucket's name and the region"
	}
	c.fail(check, text, remedy)
}

// key shows what an object's key will look like.
func (c *checker) key(cfg *Config) {
	now := time.Now().UTC()
	m := &spool.Meta{Reason: spool.Error, Seq: 1, First: now, Last: now, Stream: spool.Stream{
		ID: strings.Repeat("1a2b3c4d5e6f", 6)[:64], Name: "web", Host: cfg.Host, App: "shop-web", Group: "shop",
	}}
	c.ok("key", "an error of shop-web would become %s", cfg.objectURL(cfg.Key.Render(m)))
}
