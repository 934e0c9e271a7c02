//go:build selinux

// Package selinux tests the policy module of selinux/ where it will live: it
// is built both ways and installed into copies of Debian's policy, and what the
// resulting policies allow is read back from their binary form. Nothing here
// touches the machine's own policy.
package selinux

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const devel = "/usr/share/selinux/devel/Makefile"

// store is a copy of Debian's policy with modules of ours installed.
type store struct{ root, policy string }

var (
	plain  store // with logfast alone, by install.sh
	joined store // with the names of container-selinux and docker's, and with joined.te
	setup  sync.Once
	failed string
)

func TestMain(m *testing.M) {
	work, err := os.MkdirTemp("", "logfast-selinux-")
	if err != nil {
		panic(err)
	}
	plain.root, joined.root = filepath.Join(work, "plain"), filepath.Join(work, "joined")
	code := m.Run()
	os.RemoveAll(work)
	os.Exit(code)
}

// ready builds the modules and both stores, once: rebuilding a policy is what
// takes the time here, so the two go side by side.
func ready(t *testing.T) {
	t.Helper()
	setup.Do(func() {
		var wait sync.WaitGroup
		errs := make([]error, 2)
		wait.Go(func() { errs[0] = plain.make(installLogfast) })
		wait.Go(func() { errs[1] = joined.make(installJoined) })
		wait.Wait()
		for _, err := range errs {
			if err != nil {
				failed += err.Error() + "\n"
			}
		}
	})
	if failed != "" {
		t.Fatal(failed)
	}
}

func (s *store) make(install func(s *store) error) error {
	s.policy = filepath.Join(s.root, "policy")
	for _, dir := range []string{"etc/selinux", "var/lib/selinux"} {
		if err := os.MkdirAll(filepath.Join(s.root, dir), 0o755); err != nil {
			return err
		}
		if _, err := run("", "cp", "-a", "/"+dir+"/default", filepath.Join(s.root, dir)); err != nil {
			return err
		}
	}
	if err := install(s); err != nil {
		return err
	}
	made, err := filepath.Glob(filepath.Join(s.root, "etc/selinux/default/policy/policy.*"))
	if err != nil || len(made) != 1 {
		return fmt.Errorf("policies of %s: %v, %v", s.root, made, err)
	}
	return os.Rename(made[0], s.policy)
}

func installLogfast(s *store) error {
	_, err := run("../../selinux", "env", "BUILD="+filepath.Join(s.root, "build"), "./install.sh", "--apply", "--root", s.root)
	return err
}

// installJoined builds with the devel Makefile, and names.te without it.
func installJoined(s *store) error {
	build := filepath.Join(s.root, "build")
	if err := os.MkdirAll(build, 0o755); err != nil {
		return err
	}
	for _, file := range []string{"../../selinux/logfast.te", "../../selinux/logfast.fc", "../../selinux/logfast.if", "testdata/joined.te"} {
		if _, err := run("", "cp", file, build); err != nil {
			return err
		}
	}
	mod, pp := filepath.Join(s.root, "names.mod"), filepath.Join(s.root, "names.pp")
	for _, command := range [][]string{
		{"make", "-s", "-f", devel, "logfast.pp", "joined.pp"},
		{"checkmodule", "-M", "-m", "-o", mod, absolute("testdata/names.te")},
		{"semodule_package", "-o", pp, "-m", mod},
		{"semodule", "-n", "-p", s.root, "-s", "default", "-i", pp, "-i", "logfast.pp", "-i", "joined.pp"},
	} {
		// A macro that expands to itself would keep m4 busy for ever.
		if _, err := run(build, "timeout", append([]string{"300"}, command...)...); err != nil {
			return err
		}
	}
	return nil
}

func absolute(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return path
}

func run(dir, name string, args ...string) (string, error) {
	command := exec.Command(name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "LC_ALL=C")
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", command, err, &out, &errs)
	}
	return out.String(), nil
}

func mustRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := run("", name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// access is what a policy allows on one type: by source, "class permission"
// each. Sources are types and attributes, as the rules have them.
type access map[string]map[string]bool

// rules are what sesearch finds. Reading a policy takes it a second, so one
// search is for several types at once.
func (s *store) rules(t *testing.T, args ...string) []rule {
	t.Helper()
	var all []rule
	for line := range strings.Lines(mustRun(t, "sesearch", append([]string{s.policy, "-A"}, args...)...)) {
		// allow source target:class { permissions }; [ condition ]:True
		line, _, _ = strings.Cut(line, ";")
		head, permissions, ok := strings.Cut(line, ":")
		words := strings.Fields(head)
		if !ok || len(words) != 3 || words[0] != "allow" {
			continue
		}
		names := strings.Fields(strings.NewReplacer("{", "", "}", "").Replace(permissions))
		for _, permission := range names[1:] {
			all = append(all, rule{words[1], words[2], names[0] + " " + permission})
		}
	}
	return all
}

type rule struct{ source, target, what string }

// ours are the types of logfast's files. They have the same attributes: a rule
// whose target is none of them is for all of them.
var ours = []string{"logfast_log_t", "logfast_conf_t", "logfast_control_t"}

// on picks what rules found for ours allow on one of them.
func on(rules []rule, target string) access {
	all := access{}
	for _, r := range rules {
		if r.target != target && slices.Contains(ours, r.target) {
			continue
		}
		if all[r.source] == nil {
			all[r.source] = map[string]bool{}
		}
		all[r.source][r.what] = true
	}
	return all
}

func (a access) who(what string) []string {
	var sources []string
	for source, may := range a {
		if may[what] {
			sources = append(sources, source)
		}
	}
	slices.Sort(sources)
	return sources
}

// members are the types of each attribute.
func (s *store) members(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	attribute := ""
	for line := range strings.Lines(mustRun(t, "seinfo", s.policy, "-a", "-x")) {
		name := strings.TrimSpace(line)
		switch found, ok := strings.CutPrefix(name, "attribute "); {
		case ok:
			attribute, _, _ = strings.Cut(strings.TrimSuffix(found, ";"), ",")
		case strings.HasPrefix(line, "\t") && name != "":
			all[attribute] = append(all[attribute], name)
		}
	}
	for _, types := range all {
		slices.Sort(types)
	}
	return all
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// everything are those whom Debian's policy lets read every file: backup and
// integrity programs, and the domains that are not confined. No policy of ours
// can take that from them.
var everything = []string{"aide_t", "amanda_t", "backup_t", "bacula_t", "files_unconfined_type", "quota_t", "samhain_t", "samhaind_t", "siggen_t", "tripwire_t"}

func TestMembers(t *testing.T) {
	ready(t)
	alone, with := plain.members(t), joined.members(t)
	for _, one := range []struct {
		attribute     string
		plain, joined []string
	}{
		{"logfast_reader", []string{"auditadm_t", "awstats_t", "logrotate_t", "sysadm_t", "webalizer_t"}, []string{"goaccess_t", "logmaster_t"}},
		{"logfast_operator", []string{"sysadm_t"}, []string{"opsdesk_t", "logmaster_t"}},
		{"logfast_manager", []string{"sysadm_t"}, []string{"logmaster_t"}},
		{"logfast_engine", []string{"initrc_t"}, []string{"container_runtime_t", "dockerd_t", "otherengine_t"}},
		{"logfast_plugin", []string{"initrc_t"}, []string{"otherplugin_t", "spc_t"}},
	} {
		equal(t, one.attribute+" in Debian's policy", alone[one.attribute], one.plain)
		// The second module is not for a policy that knows Docker.
		both := slices.DeleteFunc(slices.Concat(one.plain, one.joined), func(s string) bool { return s == "initrc_t" })
		equal(t, one.attribute+" with the other names", with[one.attribute], both)
	}
}

// What is allowed on logfast's files.
func TestRules(t *testing.T) {
	ready(t)
	rules := joined.rules(t, "-t", "^logfast_[a-z]+_t$", "-rt")
	t.Run("NobodyElse", func(t *testing.T) { testNobodyElse(t, rules) })
	t.Run("Exact", func(t *testing.T) { testExactRules(t, rules) })
}

// Who reads logs, writes them, reads credentials: these and nobody else.
func testNobodyElse(t *testing.T, rules []rule) {
	log, conf, control := on(rules, "logfast_log_t"), on(rules, "logfast_conf_t"), on(rules, "logfast_control_t")
	all := []string{"files_unconfined_type"}
	for _, one := range []struct {
		name string
		on   access
		what string
		want []string
	}{
		{"read logs", log, "file read", append([]string{"logfast_plugin", "logfast_reader"}, everything...)},
		{"append to logs", log, "file append", append([]string{"logfast_plugin"}, all...)},
		{"overwrite logs", log, "file write", append([]string{"logfast_plugin"}, all...)},
		{"create logs", log, "file create", append([]string{"logfast_plugin"}, all...)},
		{"execute logs", log, "file execute", all},
		{"delete logs", log, "file unlink", append([]string{"logfast_plugin", "logfast_manager"}, all...)},
		{"read credentials", conf, "file read", append([]string{"logfast_plugin", "logfast_manager"}, everything...)},
		{"write credentials", conf, "file write", append([]string{"logfast_manager"}, all...)},
		{"write to the control socket", control, "sock_file write", append([]string{"logfast_plugin", "logfast_operator"}, all...)},
		{"bind the spool into the plugin's root", log, "dir mounton", append([]string{"logfast_engine"}, all...)},
		{"bind the configuration into the plugin's root", conf, "dir mounton", append([]string{"logfast_engine"}, all...)},
	} {
		equal(t, "may "+one.name, one.on.who(one.what), one.want)
	}
}

// The rules of logfast are these, permission by permission: one more or one
// fewer fails.
func testExactRules(t *testing.T, rules []rule) {
	words := func(class, permissions string) []string {
		var all []string
		for _, p := range strings.Fields(permissions) {
			all = append(all, class+" "+p)
		}
		return all
	}
	read := "getattr open read"
	for _, one := range []struct {
		source, target string
		want           []string
	}{
		{"logfast_plugin", "logfast_log_t", slices.Concat(
			words("dir", read+" add_name create lock remove_name rename reparent rmdir search setattr write"),
			words("file", read+" append create link lock rename setattr unlink write"))},
		{"logfast_plugin", "logfast_control_t", slices.Concat(
			words("dir", read+" add_name create lock remove_name rmdir search setattr write"),
			words("file", read+" create lock rename setattr unlink write"),
			words("sock_file", "create getattr setattr unlink write"))},
		{"logfast_plugin", "logfast_conf_t", slices.Concat(words("dir", read+" search"), words("file", read))},
		{"logfast_engine", "logfast_log_t", words("dir", "getattr mounton search")},
		{"logfast_engine", "logfast_conf_t", words("dir", "getattr mounton search")},
		{"logfast_engine", "logfast_control_t", nil},
		{"logfast_reader", "logfast_log_t", slices.Concat(words("dir", read+" ioctl lock search watch"), words("file", read+" ioctl lock watch"))},
		{"logfast_reader", "logfast_control_t", nil},
		{"logfast_reader", "logfast_conf_t", nil},
		{"logfast_operator", "logfast_control_t", slices.Concat(words("dir", read+" search"), words("sock_file", "getattr write"))},
		{"logfast_operator", "logfast_conf_t", nil},
		{"container_t", "logfast_log_t", nil},
		{"container_t", "logfast_conf_t", nil},
		{"container_t", "logfast_control_t", nil},
	} {
		got := slices.Sorted(maps.Keys(on(rules, one.target)[one.source]))
		equal(t, one.source+" on "+one.target, got, one.want)
	}
}

// What goes with the files: the socket's other end, Docker's FIFO, the file
// system.
func TestRulesBesideTheFiles(t *testing.T) {
	ready(t)
	rules := joined.rules(t, "-s", "^(sysadm_t|auditadm_t|logrotate_t|container_t|spc_t|logfast_log_t|logfast_control_t|logfast_conf_t)$", "-rs", "-t", "^(spc_t|container_var_lib_t|fs_t)$", "-rt")
	for _, want := range []rule{
		{"logfast_operator", "logfast_plugin", "unix_stream_socket connectto"},
		{"spc_t", "container_var_lib_t", "fifo_file read"},
		{"spc_t", "container_var_lib_t", "fifo_file write"},
		{"file_type", "fs_t", "filesystem associate"},
	} {
		if !slices.Contains(rules, want) {
			t.Errorf("not allowed: %v", want)
		}
	}
	for _, r := range rules {
		if strings.HasSuffix(r.what, " connectto") && r.target != r.source && r.source != "logfast_operator" {
			t.Errorf("allowed: %v", r)
		}
	}
}

// Files get their labels by path, and .control when the plugin makes it.
func TestLabels(t *testing.T) {
	ready(t)
	labels := [][2]string{
		{"/var/log/logfast", "logfast_log_t"},
		{"/var/log/logfast/web-1a2b3c4d5e6f/web.log", "logfast_log_t"},
		{"/var/log/logfast/.streams/1", "logfast_log_t"},
		{"/var/log/logfast/archive/logs/a.log.gz", "logfast_log_t"},
		{"/var/log/logfast/.control", "logfast_control_t"},
		{"/var/log/logfast/.control/logfast.sock", "logfast_control_t"},
		{"/var/log/logfast/.controls", "logfast_log_t"},
		{"/var/log/logfast-other", "var_log_t"},
		{"/etc/logfast", "logfast_conf_t"},
		{"/etc/logfast/credentials", "logfast_conf_t"},
		{"/etc/logfast.conf", "etc_t"},
	}
	for _, s := range []store{plain, joined} {
		args := []string{"-n", "-N", "-f", filepath.Join(s.root, "etc/selinux/default/contexts/files/file_contexts")}
		want := ""
		for _, l := range labels {
			args = append(args, l[0])
			want += "system_u:object_r:" + l[1] + ":s0\n"
		}
		if got := mustRun(t, "matchpathcon", args...); got != want {
			t.Errorf("labels of %v:\n got %s\nwant %s", labels, got, want)
		}
	}
	for _, one := range []struct {
		store  store
		domain string
	}{{plain, "initrc_t"}, {joined, "spc_t"}, {joined, "otherplugin_t"}} {
		want := "type_transition " + one.domain + " logfast_log_t:dir logfast_control_t .control;"
		transition := strings.TrimSpace(mustRun(t, "sesearch", one.store.policy, "-T", "-s", one.domain, "-t", "logfast_log_t", "-c", "dir"))
		if transition != want {
			t.Errorf("what the plugin creates in the spool: %q, want %q", transition, want)
		}
	}
}

// The domains of Debian's engine and plugin are what the second module says:
// systemd starts dockerd and containerd in initrc_t, and the plugin's program,
// which is var_lib_t there, causes no transition.
func TestDebian_EngineAndPluginRunInInitrc(t *testing.T) {
	ready(t)
	files := []string{"/usr/sbin/dockerd", "/usr/bin/containerd", "/var/lib/docker/plugins/1a2b/rootfs/logfast"}
	want := "bin_t,bin_t,var_lib_t"
	labels := mustRun(t, "matchpathcon", append([]string{"-n", "-N", "-f", filepath.Join(plain.root, "etc/selinux/default/contexts/files/file_contexts")}, files...)...)
	var types []string
	for _, label := range strings.Fields(labels) {
		types = append(types, strings.Split(label, ":")[2])
	}
	if got := strings.Join(types, ","); got != want {
		t.Fatalf("the types of %v: %s, want %s", files, got, want)
	}
	transitions := strings.Split(strings.TrimSpace(mustRun(t, "sesearch", plain.policy, "-T", "-c", "process", "-s", "^(init_t|initrc_t)$", "-rs", "-t", "^(bin_t|var_lib_t)$", "-rt")), "\n")
	if got := strings.Join(transitions, " "); got != "type_transition init_t bin_t:process initrc_t;" {
		t.Errorf("transitions: %s", got)
	}
}

// sysadm_t may use the control socket of a plugin that runs in initrc_t, and
// auditadm_t may not, as the table of docs/selinux.md says.
func TestDebian_OnlySysadmConnects(t *testing.T) {
	ready(t)
	rules := plain.rules(t, "-s", "^(sysadm_t|auditadm_t|logrotate_t)$", "-rs", "-t", "^(initrc_t|logfast_log_t|logfast_control_t)$", "-rt")
	for _, want := range []rule{
		{"logfast_operator", "logfast_plugin", "unix_stream_socket connectto"},
		{"logfast_operator", "logfast_control_t", "dir open"},
		{"logfast_operator", "logfast_control_t", "sock_file write"},
		{"logfast_operator", "logfast_log_t", "dir search"},
	} {
		if !slices.Contains(rules, want) {
			t.Errorf("not allowed to sysadm_t: %v", want)
		}
	}
	members := plain.members(t)
	for _, r := range rules {
		if !strings.HasSuffix(r.what, " connectto") && r.target != "logfast_control_t" {
			continue
		}
		for _, other := range []string{"auditadm_t", "logrotate_t"} {
			if r.source == other || slices.Contains(members[r.source], other) {
				t.Errorf("allowed to %s: %v", other, r)
			}
		}
	}
}

// In Debian's policy there is no domain for containers: they run beside the
// plugin, in initrc_t, and selinux-enabled cannot be used. docs/selinux.md says so.
func TestDebian_HasNoDomainForContainers(t *testing.T) {
	ready(t)
	types := strings.Fields(mustRun(t, "seinfo", plain.policy, "-t"))
	for _, name := range []string{"container_t", "spc_t", "svirt_lxc_net_t", "container_file_t"} {
		if slices.Contains(types, name) {
			t.Errorf("Debian's policy has %s: docs/selinux.md says that it has no domain for containers", name)
		}
	}
	contexts, err := os.ReadFile("/etc/selinux/default/contexts/lxc_contexts")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(contexts), ":container_t:") {
		t.Errorf("the domain that Docker asks for with selinux-enabled is another: %s", contexts)
	}
}

// install.sh installs the second module if dockerd runs in initrc_t, or if it
// does not run and the policy has no module "container".
func TestInstall_ChoosesTheModules(t *testing.T) {
	ready(t)
	store := filepath.Join(t.TempDir(), "store")
	for _, dir := range []string{"etc/selinux", "var/lib/selinux"} {
		if err := os.MkdirAll(filepath.Join(store, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		mustRun(t, "cp", "-a", "/"+dir+"/default", filepath.Join(store, dir))
	}
	has := func(module string) {
		t.Helper()
		// A copy of a small module is enough: install.sh looks for the name.
		dir := filepath.Join(store, "var/lib/selinux/default/active/modules/400")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		mustRun(t, "cp", "-a", filepath.Join(store, "var/lib/selinux/default/active/modules/100/tvtime"), filepath.Join(dir, module))
	}
	const initrc, known = "+ semodule -n -p STORE -s default -i BUILD/logfast.pp -i BUILD/logfast_initrc.pp",
		"+ semodule -n -p STORE -s default -i BUILD/logfast.pp"
	for _, one := range []struct {
		name, module, dockerd, want, said string
	}{
		{name: "NoContainerModule", want: initrc},
		{name: "Initrc", dockerd: "system_u:system_r:initrc_t:s0", want: initrc},
		{name: "NoSELinux", dockerd: "unconfined", want: initrc},
		{name: "ContainerModule", module: "container", want: known},
		{name: "ContainerModuleAndInitrc", dockerd: "system_u:system_r:initrc_t:s0", want: initrc},
		{name: "ContainerSelinux", dockerd: "system_u:system_r:container_runtime_t:s0", want: known},
		{name: "Unknown", dockerd: "system_u:system_r:unconfined_service_t:s0", want: known, said: "dockerd runs in unconfined_service_t, which"},
		{name: "NoLongerInitrc", module: "logfast_initrc", want: known + " -r logfast_initrc"},
	} {
		t.Run(one.name, func(t *testing.T) {
			if one.module != "" {
				has(one.module)
			}
			proc := filepath.Join(t.TempDir(), "proc")
			if one.dockerd != "" {
				process(t, proc, "7", "containerd", "system_u:system_r:other_t:s0")
				process(t, proc, "71", "dockerd", one.dockerd+"\x00")
			}
			out := mustRun(t, "sh", "-c", "env PROC="+proc+" BUILD="+filepath.Join(plain.root, "build")+" ../../selinux/install.sh --root "+store+" 2>&1")
			want := strings.NewReplacer("STORE", store, "BUILD", filepath.Join(plain.root, "build")).Replace(one.want) + "\n"
			if !strings.Contains(out, want) || strings.Contains(out, "install.sh:") != (one.said != "") || !strings.Contains(out, one.said) {
				t.Errorf("%s\nwant … %s … %s …", out, want, one.said)
			}
		})
	}
}

func process(t *testing.T, proc, id, name, label string) {
	t.Helper()
	dir := filepath.Join(proc, id, "attr")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{filepath.Join(proc, id, "comm"): name + "\n", filepath.Join(dir, "current"): label} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What install.sh puts in, it takes out; shown first, it does nothing.
func TestInstallAndUninstall(t *testing.T) {
	ready(t)
	listed := func() bool {
		return slices.Contains(strings.Fields(mustRun(t, "semodule", "-p", plain.root, "-s", "default", "-l")), "logfast")
	}
	install := func(args ...string) string {
		t.Helper()
		return mustRun(t, "env", append([]string{"BUILD=" + filepath.Join(plain.root, "build"), "../../selinux/install.sh", "--root", plain.root}, args...)...)
	}
	if !listed() {
		t.Fatal("install.sh --apply installed nothing")
	}
	if out := install("--uninstall"); !strings.Contains(out, "-r logfast_initrc -r logfast\n") || !strings.Contains(out, "nothing was done") {
		t.Errorf("shown for --uninstall: %s", out)
	}
	if !listed() {
		t.Fatal("install.sh --uninstall without --apply uninstalls")
	}
	install("--uninstall", "--apply")
	if listed() {
		t.Error("logfast is still there")
	}
	out, err := run("", "../../selinux/install.sh", "--aply")
	if err == nil || !strings.Contains(err.Error(), "unknown option --aply: write --apply") {
		t.Errorf("a wrong option: %q, %v", out, err)
	}
}

// A denial is explained as docs/selinux.md says: the policy, not a guess.
func TestDenialIsExplained(t *testing.T) {
	ready(t)
	page, err := os.ReadFile("../../docs/selinux.md")
	if err != nil {
		t.Fatal(err)
	}
	denial := ""
	for line := range strings.Lines(string(page)) {
		if strings.Contains(line, "type=AVC") {
			denial = strings.TrimSpace(line)
		}
	}
	// Of two denials, the page's and the same access by the plugin, the
	// first is for want of a rule and the second is none of the policy's.
	command := exec.Command("audit2why", "-p", joined.policy)
	command.Stdin = strings.NewReader(denial + "\n" + strings.Replace(denial, ":container_t:", ":spc_t:", 1) + "\n")
	out, err := command.CombinedOutput()
	container, plugin, _ := strings.Cut(string(out), ":spc_t:")
	const missing = "Missing type enforcement (TE) allow rule"
	if err != nil || !strings.Contains(container, ":container_t:") || !strings.Contains(container, missing) || plugin == "" || strings.Contains(plugin, missing) {
		t.Errorf("audit2why of %q: %v\n%s", denial, err, out)
	}
}
