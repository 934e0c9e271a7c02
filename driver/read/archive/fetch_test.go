package archive

import (
	"errors"
	"io"
	"path/filepath"
	"testing"
)

// endless is a body without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// An object is copied whole, whether the store tells its size or not, and never
// more of it than was listed.
func TestDuplicate_WholeOrAnError(t *testing.T) {
	const large = 2 * inMemory
	for what, test := range map[string]struct {
		body             io.Reader
		size, most, want int64 // want: negative: an error
	}{
		"small":                        {io.LimitReader(endless{}, 100), 100, 100, 100},
		"small, size unknown":          {io.LimitReader(endless{}, 100), -1, 1000, 100},
		"empty, size unknown":          {io.LimitReader(endless{}, 0), -1, 0, 0},
		"large":                        {io.LimitReader(endless{}, large), large, large, large},
		"large, size unknown":          {io.LimitReader(endless{}, large), -1, large, large},
		"at the edge":                  {io.LimitReader(endless{}, inMemory), -1, maxObject, inMemory},
		"above the edge":               {io.LimitReader(endless{}, inMemory+1), -1, maxObject, inMemory + 1},
		"small, cut":                   {io.LimitReader(endless{}, 99), 100, 100, -1},
		"large, cut":                   {io.LimitReader(endless{}, large-1), large, large, -1},
		"more than was listed":         {endless{}, -1, 100, -1},
		"more than was listed, large":  {endless{}, -1, large, -1},
		"more than was listed, at all": {endless{}, -1, 0, -1},
	} {
		t.Run(what, func(t *testing.T) {
			copied, err := (&Archive{}).duplicate(test.body, test.size, test.most)
			if (err != nil) != (test.want < 0) {
				t.Fatalf("%v, want %d bytes", err, test.want)
			}
			if err != nil {
				return
			}
			defer copied.Close()
			if n, err := io.Copy(io.Discard, copied); n != test.want || err != nil {
				t.Errorf("%d bytes, %v; want %d", n, err, test.want)
			}
		})
	}
}

// The plugin's root has no directory for temporary files: copies go where Temp says, if
// there is space for them, and leave no name there.
func TestDuplicate_Temp(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	const large = 3 * inMemory
	full := errors.New("no space")
	var asked []int64
	a := &Archive{cfg: Config{Temp: t.TempDir(), CheckSpace: func(bytes int64) error {
		if asked = append(asked, bytes); bytes > large {
			return full
		}
		return nil
	}}}
	copied, err := a.duplicate(io.LimitReader(endless{}, large), large, maxObject)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if n, err := io.Copy(io.Discard, copied); n != large || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if left, err := filepath.Glob(filepath.Join(a.cfg.Temp, "*")); len(left) > 0 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := a.duplicate(endless{}, large+1, large+1); !errors.Is(err, full) {
		t.Errorf("more than there is space for: %v", err)
	}
	if len(asked) != 2 || asked[0] != large || asked[1] != large+1 {
		t.Errorf("asked for space for %v", asked)
	}
}
