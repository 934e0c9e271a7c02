// Command without runs a program without one capability, as a plugin's entrypoint:
//
//	without NUMBER PROGRAM ARGUMENT...
//
// Docker gives every plugin its default capabilities, and a plugin's
// configuration can only add to them.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread() // the capability is the thread's that will be the program
	capability, err := strconv.Atoi(os.Args[1])
	if err == nil {
		// A program of root's is given all that is in the bounding set.
		err = unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(capability), 0, 0, 0)
	}
	if err == nil {
		err = syscall.Exec(os.Args[2], os.Args[2:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, "without:", err)
	os.Exit(1)
}
