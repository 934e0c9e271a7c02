package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if os.Getenv(childMemory) != "" {
		os.Exit(child())
	}
	testscript.Main(m, map[string]func(){
		"logfast": func() { os.Exit(Run(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(e *testscript.Env) error {
		// Away from the tree, whose build they would find.
		taking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "ok\nhunter2")
		}))
		refusing := httptest.NewServer(http.NotFoundHandler())
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		e.Defer(taking.Close)
		e.Defer(refusing.Close)
		e.Setenv("TAKING", taking.URL)
		e.Setenv("REFUSING", refusing.URL)
		e.Setenv("GONE", gone.URL)
		scripts := filepath.Join(e.WorkDir, "scripts")
		e.Setenv("SCRIPTS", scripts)
		var errs []error
		for _, name := range []string{"install.sh", "uninstall.sh", "lib.sh"} {
			text, err := os.ReadFile(filepath.Join("../scripts", name))
			errs = append(errs, err, os.MkdirAll(scripts, 0o755), os.WriteFile(filepath.Join(scripts, name), text, 0o644))
		}
		return errors.Join(errs...)
	}})
}
