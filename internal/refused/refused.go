// Package refused says why the kernel may have answered "permission denied",
// and what to type then.
package refused

import (
	"os"
	"path/filepath"
	"strings"
)

// Process is one for which the kernel refused something.
type Process struct {
	UID  int    // its effective user
	Root string // the directory that has sys/fs/selinux and proc/self
}

// This returns the process that calls it.
func This() Process { return Process{UID: os.Geteuid(), Root: "/"} }

// Ausearch is the command that shows what SELinux denied. In a script, whose
// standard input may be a pipe, ausearch would read that instead of the log.
const Ausearch = "ausearch -m avc -ts recent (in a script: ausearch --input-logs -m avc -ts recent)"

// Advice is what to do next, by who is refused. Each is the end of a sentence.
type Advice struct {
	User    string // a user other than root
	SELinux string // root, if SELinux enforces
	Root    string // root otherwise
}

// Operator is the advice for the program logfast on the host.
var Operator = Advice{
	User: "it is for root alone: type sudo before the command",
	SELinux: "use sysadm_t (sudo -r sysadm_r -t sysadm_t), with logfast's policy modules installed " +
		"(selinux/install.sh)",
	Root: "run this on the host itself, not in a container or a user namespace; look at the directory's owner and mode",
}

// Plugin is the advice for the plugin, which is root in a container.
var Plugin = Advice{
	User:    "run logfast as root",
	SELinux: "install logfast's policy modules with selinux/install.sh --apply, and its labels with restorecon -RF",
	Root:    "look at the directory's owner and mode",
}

// Reason returns what probably refused it and what to do next.
func (p Process) Reason(a Advice) string {
	domain, enforcing := p.selinux()
	switch {
	case p.UID != 0:
		return a.User
	case enforcing:
		return "SELinux probably refuses it to root in the domain " + domain + ": see the denial with " + Ausearch +
			"; " + a.SELinux + "; docs/selinux.md lists the domains"
	}
	return "root is refused, and SELinux does not enforce: " + a.Root +
		", at AppArmor (dmesg), and at the file system (mount)"
}

// selinux returns the process's domain, and whether SELinux may refuse it
// something. A container has no selinuxfs: there the label alone shows that
// SELinux is on, and it may be permissive.
func (p Process) selinux() (domain string, enforcing bool) {
	domain = "?"
	label, err := os.ReadFile(filepath.Join(p.Root, "proc/self/attr/current"))
	// user:role:type:level. AppArmor writes a profile's name there.
	parts := strings.Split(strings.TrimRight(string(label), "\x00\n"), ":")
	labelled := err == nil && len(parts) >= 3 && strings.HasSuffix(parts[1], "_r")
	if labelled {
		domain = parts[2]
	}
	enforce, err := os.ReadFile(filepath.Join(p.Root, "sys/fs/selinux/enforce"))
	if err != nil {
		return domain, labelled
	}
	return domain, strings.TrimSpace(string(enforce)) == "1"
}
