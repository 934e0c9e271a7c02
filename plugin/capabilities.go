package plugin

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// needed are the capabilities that logfast keeps of those that Docker gives
// every plugin (capabilities(7)). The table in docs/installing.md says what each
// is for, and TestEachCapabilityIsNeeded what breaks without.
const needed uint64 = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_SETUID

// keepCapabilities takes every capability from the whole process but those in
// the set keep, for good: neither it nor what it might start gets them back. It
// asks each thread, because Linux keeps them for each by itself; a program with
// cgo cannot, and is told so.
func keepCapabilities(keep uint64) error {
	// Linux answers EINVAL for a capability that it does not know.
	for c := range uintptr(64) {
		if keep&(1<<c) != 0 {
			continue
		}
		if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, syscall.PR_CAPBSET_DROP, c,
			0); errno == syscall.EINVAL {
			break
		} else if errno != 0 {
			return fmt.Errorf("drop capability %d of the bounding set: %w", c, errno)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has [2]unix.CapUserData // 32 capabilities each
	if err := unix.Capget(&header, &has[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	for i := range has {
		has[i].Permitted &= uint32(keep >> (32 * i))
		has[i].Effective, has[i].Inheritable = has[i].Permitted, 0
	}
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)),
		uintptr(unsafe.Pointer(&has[0])), 0); errno != 0 {
		return fmt.Errorf("capset: %w", errno)
	}
	if _, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0,
		0); errno != 0 {
		return fmt.Errorf("set no_new_privs: %w", errno)
	}
	return nil
}
