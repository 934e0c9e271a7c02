package spool

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/store"
)

// TestMetadata_HasLabelsAndEnvironment writes them in ASCII and reads them back.
func TestMetadata_HasLabelsAndEnvironment(t *testing.T) {
	labels := map[string]string{"com.example/Team": "blau ü 🙂 \" \\ \x01\n<>&", "empty": ""}
	m := Meta{Stream: Stream{Host: "h", Labels: labels, Env: map[string]string{"APP_ENV": " prod "}}}
	meta := m.Metadata()
	if err := (store.Attributes{ContentType: "text/plain", Metadata: meta}).Check(); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]map[string]string{MetaLabels: labels, MetaEnv: m.Stream.Env} {
		got, err := ReadFields(meta[name])
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %q, %v: -want +got\n%s", name, meta[name], err, d)
		}
	}
	plain := (&Meta{}).Metadata()
	if _, some := plain[MetaLabels]; some {
		t.Errorf("%q", plain)
	}
}

// TestMetadata_LeavesOutWhatHasNoRoom wants what fits of many labels, the same each time.
func TestMetadata_LeavesOutWhatHasNoRoom(t *testing.T) {
	long := strings.Repeat("ü", 2000)
	m := Meta{Stream: Stream{ID: long, Host: long, App: long, Group: long, Name: long, Image: long, Labels: map[string]string{"a": long, "b": "small"}, Env: map[string]string{}}}
	for i := range 50 {
		m.Stream.Env[fmt.Sprint("E", i)] = strings.Repeat("x", 20)
	}
	meta := m.Metadata()
	if err := (store.Attributes{ContentType: "text/plain", Metadata: meta}).Check(); err != nil {
		t.Error(err)
	}
	if got := meta[MetaLabels]; got != `{"b":"small"}` {
		t.Errorf("labels %q", got)
	}
	if !maps.Equal(meta, m.Metadata()) {
		t.Error("other metadata the second time")
	}
}

func TestReadFields_Damaged(t *testing.T) {
	for _, s := range []string{"x", "[]", `{"a":1}`, `{"a":"` + strings.Repeat("x", 3000) + `"}`, `{"a"`} {
		if got, err := ReadFields(s); err == nil {
			t.Errorf("%.20s: %v", s, got)
		}
	}
	if got, err := ReadFields(""); got != nil || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}
