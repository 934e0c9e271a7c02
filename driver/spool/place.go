package spool

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Check looks whether the spool's directory is still where Open found it, and
// makes its lock and its reserve anew if somebody has removed them. The error
// says what is wrong, and what to do: nothing in here can put it right, because
// another directory may be mounted there, or the one that is mounted is gone.
func (s *Spool) Check() error {
	if err := s.place(); err != nil {
		return err
	}
	if _, err := s.lock.Keep(); err != nil {
		return fmt.Errorf("make %s anew: %w; no other plugin may use this directory: stop the one that does",
			filepath.Join(s.path, LockFile), err)
	}
	if _, err := s.root.Lstat(reserveFile); errors.Is(err, os.ErrNotExist) && s.making.TryLock() {
		defer s.making.Unlock()
		return s.fillReserve(reserveFiles)
	}
	return nil
}

// toRestart is what an operator does after the directory was replaced.
const toRestart = "then docker plugin disable -f logfast and docker plugin enable --timeout 0 logfast; lines wait in " +
	"the FIFOs meanwhile"

func (s *Spool) place() error {
	open, err := s.root.Stat(".")
	if err != nil {
		return fmt.Errorf("look at the spool %s: %w", s.path, err)
	}
	root := mountRoot(s.path)
	if open.Sys().(*syscall.Stat_t).Nlink == 0 || strings.HasSuffix(root, "//deleted") {
		return fmt.Errorf("the spool's directory %s was removed on the host, and nothing can be written: make it "+
			"again (mkdir -p %s), %s", s.path, s.path, toRestart)
	}
	named, err := os.Stat(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the spool's directory %s was moved away, and logfast writes where it is now: move it "+
			"back, or make a new one, %s", s.path, toRestart)
	}
	if err != nil {
		return fmt.Errorf("look at the spool %s: %w", s.path, err)
	}
	if !os.SameFile(open, named) {
		return fmt.Errorf("another directory is at %s: it was replaced, or a file system was mounted over it. "+
			"logfast writes into the one before: put that back, or %s", s.path, toRestart)
	}
	if root != s.mounted {
		return fmt.Errorf("on the host, the spool's directory was moved from %s to %s, and logfast writes there: "+
			"move it back, or make a new one, %s", s.mounted, root, toRestart)
	}
	return nil
}

// mountRoot returns which directory of its file system is mounted at a path, as
// /proc/self/mountinfo says (proc_pid_mountinfo(5)), "" if none is: a plugin's
// directories are bind mounts, whose names on the host no stat tells.
func mountRoot(at string) (root string) {
	at, err := filepath.Abs(at)
	if err != nil {
		return ""
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && fields[4] == at {
			root = fields[3] // the last one covers those before
		}
	}
	return root
}
