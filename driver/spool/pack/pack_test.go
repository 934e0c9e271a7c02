package pack

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/logfast/logfast/bench/lines"
)

// text is n bytes of access log.
func text(n int) []byte {
	out := lines.Text(1, n/100+1)
	return out[:n]
}

// packed packs a text, written in pieces of some size by so many workers.
func packed(t *testing.T, text []byte, piece, workers int) ([]byte, []int64) {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	w.SetWorkers(workers)
	for b := text; len(b) > 0; {
		n, err := w.Write(b[:min(piece, len(b))])
		if err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w.Index()
}

var sizes = []int{0, 1, 1000, StripeSize - 1, StripeSize, StripeSize + 1, 2*StripeSize + 12345}

func TestUnpacksToTheText(t *testing.T) {
	for _, size := range sizes {
		want := text(size)
		file, _ := packed(t, want, 1<<20, 1)
		z, err := stdgzip.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z) // which checks length and sum
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: unpacks to %d bytes, %v", size, len(got), err)
		}
	}
}

func TestTheSameTextGivesTheSameBytes(t *testing.T) {
	all := text(2*StripeSize + 12345)
	want, _ := packed(t, all, len(all), 1)
	for _, workers := range []int{1, 2, 8} {
		for _, piece := range []int{77777, 2*StripeSize + 1} {
			if got, _ := packed(t, all, piece, workers); !bytes.Equal(got, want) {
				t.Errorf("%d workers, pieces of %d bytes: other bytes", workers, piece)
			}
		}
	}
}

func TestReadAtAnyPlace(t *testing.T) {
	for _, size := range sizes {
		want := text(size)
		file, index := packed(t, want, 1<<20, 2)
		got, err := NewText(bytes.NewReader(file), int64(len(file)), index, int64(size))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		for range 50 {
			off := rand.IntN(size + 1)
			b := make([]byte, rand.IntN(100_000))
			n, err := got.ReadAt(b, int64(off))
			if over := off+len(b) > size; over != errors.Is(err, io.EOF) || !over && err != nil {
				t.Fatalf("%d bytes at %d of %d: %v", len(b), off, size, err)
			}
			if !bytes.Equal(b[:n], want[off:min(off+len(b), size)]) {
				t.Fatalf("%d bytes at %d of %d are others", len(b), off, size)
			}
		}
		for _, from := range []int{0, 1, size / 2, size - 1, size, StripeSize - 1, StripeSize, StripeSize + 1} {
			if from < 0 || from > size {
				continue
			}
			r, err := got.From(int64(from))
			if err != nil {
				t.Fatalf("from %d of %d: %v", from, size, err)
			}
			if rest, err := io.ReadAll(r); err != nil || !bytes.Equal(rest, want[from:]) {
				t.Errorf("from %d of %d: %d bytes, %v", from, size, len(rest), err)
			}
		}
		whole, err := io.ReadAll(io.NewSectionReader(got, 0, got.Size()))
		if err != nil || !bytes.Equal(whole, want) {
			t.Errorf("%d bytes: read through: %d bytes, %v", size, len(whole), err)
		}
	}
}

func TestAnIndexThatDoesNotFit(t *testing.T) {
	size := 2*StripeSize + 100
	file, index := packed(t, text(size), size, 1)
	for name, wrong := range map[string][]int64{
		"none":             nil,
		"too short":        index[:2],
		"not in order":     {index[0], index[2], index[1]},
		"not at the start": {index[0] + 1, index[1], index[2]},
		"beyond the end":   {index[0], index[1], int64(len(file))},
		"off by one":       {index[0], index[1] + 1, index[2]},
		"swallows another": {index[0], index[1], index[1] + 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := NewText(bytes.NewReader(file), int64(len(file)), wrong, int64(size))
			if err == nil {
				_, err = io.ReadAll(io.NewSectionReader(got, 0, got.Size()))
			}
			if err == nil {
				t.Error("no error")
			}
		})
	}
	got, err := NewText(bytes.NewReader(file), int64(len(file)), index, int64(size)-50)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.ReadAt(make([]byte, 10), 2*StripeSize); !errors.Is(err, ErrIndex) {
		t.Errorf("a text that is longer than said: %v", err)
	}
}

// failing takes n bytes.
type failing int

var errFull = errors.New("no room")

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > int(*f) {
		return 0, errFull
	}
	*f -= failing(len(b))
	return len(b), nil
}

func TestAnErrorOfTheFile(t *testing.T) {
	file, _ := packed(t, text(2*StripeSize), 1<<20, 1)
	for _, room := range []int{0, 10, 1000, len(file) - 1} {
		f := failing(room)
		w := NewWriter(&f)
		_, err := w.Write(text(2 * StripeSize))
		if closeErr := w.Close(); !errors.Is(closeErr, errFull) || err != nil && !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: write %v, close %v", room, err, closeErr)
		}
	}
}

func FuzzPack(f *testing.F) {
	f.Add([]byte("one\ntwo\n"), uint16(3))
	f.Fuzz(func(t *testing.T, seed []byte, times uint16) {
		all := bytes.Repeat(seed, int(times)+1)
		if len(all) > 3*StripeSize {
			return
		}
		file, index := packed(t, all, 1+len(seed), 2)
		got, err := NewText(bytes.NewReader(file), int64(len(file)), index, int64(len(all)))
		if err != nil {
			t.Fatal(err)
		}
		if read, err := io.ReadAll(io.NewSectionReader(got, 0, got.Size())); err != nil || !bytes.Equal(read, all) {
			t.Fatal(fmt.Sprint("other text: ", err))
		}
	})
}
