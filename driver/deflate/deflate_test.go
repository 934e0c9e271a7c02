package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/klauspost/compress/flate"

	"github.com/logfast/logfast/bench/lines"
)

// final is an empty last block (RFC 1951, 3.2.6).
var final = []byte{0x03, 0x00}

// unpacked is what two libraries make of packed bytes, if they agree.
func unpacked(packed []byte) ([]byte, error) {
	whole := append(bytes.Clone(packed), final...)
	one, err := io.ReadAll(stdflate.NewReader(bytes.NewReader(whole)))
	if err != nil {
		return nil, err
	}
	other, err := io.ReadAll(flate.NewReader(bytes.NewReader(whole)))
	if err == nil && !bytes.Equal(one, other) {
		err = fmt.Errorf("the libraries differ: %d bytes, %d bytes", len(one), len(other))
	}
	return one, err
}

func check(t *testing.T, name string, packed, text []byte) {
	t.Helper()
	got, err := unpacked(packed)
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%s: %d bytes, packed to %d, unpack to %d others: %v", name, len(text), len(packed), len(got), err)
	}
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// mixed is n bytes that are sometimes new and sometimes repeat some that were
// up to 40,000 bytes before, of an alphabet of so many bytes.
func mixed(seed uint64, n, alphabet int) []byte {
	rnd := rand.New(rand.NewPCG(seed, 2))
	var b []byte
	for len(b) < n {
		length := 1 + rnd.IntN(1<<rnd.IntN(11))
		dist := 1 + rnd.IntN(1<<rnd.IntN(15)+8000)
		again := dist <= len(b) && rnd.IntN(3) > 0
		for range length {
			if again {
				b = append(b, b[len(b)-dist])
			} else {
				b = append(b, byte(rnd.IntN(alphabet)))
			}
		}
	}
	return b[:n]
}

func TestUnpacksToTheText(t *testing.T) {
	var e Encoder
	access := lines.Text(1, 40_000)
	texts := map[string][]byte{
		"access log":    access,
		"one byte":      bytes.Repeat([]byte{'a'}, 300_000),
		"two bytes":     bytes.Repeat([]byte("ab"), 150_000),
		"a line":        bytes.Repeat([]byte("2026-11-24T06:00:00.123456789Z stdout F again\n"), 100_000),
		"nothing twice": random(1, 1_000_000),
		"then a log":    append(random(2, 200_000), access[:200_000]...),
		"then nothing":  append(bytes.Clone(access[:200_000]), random(3, 200_000)...),
		"just too far":  append(append(bytes.Clone(access[:1000]), random(4, window-1000+1)...), access[:1000]...),
		"just in reach": append(append(bytes.Clone(access[:1000]), random(4, window-1000)...), access[:1000]...),
	}
	for n := range 80 {
		texts[fmt.Sprint(n, " bytes")] = access[:n]
		texts[fmt.Sprint(n, " equal bytes")] = bytes.Repeat([]byte{0}, n)
		texts[fmt.Sprint(n, " other bytes")] = random(uint64(n), n)
	}
	for i := range 60 {
		n, alphabet := 100+i*i*100, 1<<(i%9)
		texts[fmt.Sprint("mixed ", n, " of ", alphabet)] = mixed(uint64(i), n, alphabet)
	}
	for name, text := range texts {
		check(t, name, e.Append(nil, text), text)
	}
}

func TestAppendsToWhatIsThere(t *testing.T) {
	var e Encoder
	one, other := lines.Text(1, 300), lines.Text(2, 300)
	packed := e.Append(e.Append(nil, one), other) // each ends at a byte's boundary
	check(t, "two texts", packed, append(one, other...))
}

func TestTheSameTextGivesTheSameBytes(t *testing.T) {
	var fresh, used Encoder
	text := lines.Text(1, 20_000)
	want := fresh.Append(nil, text)
	for seed := range uint64(3) {
		used.Append(nil, mixed(seed, 500_000, 30))
		if got := used.Append(nil, text); !bytes.Equal(got, want) {
			t.Fatalf("packed after another text: %d bytes, not %d, or others", len(got), len(want))
		}
	}
}

func TestIsAboutAsSmallAsGzip9(t *testing.T) {
	var e Encoder
	text := lines.Records(1, 25_000) // a stripe of driver/pack
	c := exec.Command("gzip", "-9")
	c.Stdin = bytes.NewReader(text)
	best, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(e.Append(nil, text)); got > len(best)*102/100 {
		t.Errorf("%d bytes: %.3f of gzip's", got, float64(got)/float64(len(best)))
	}
}

func TestWhatDoesNotRepeatHardlyGrows(t *testing.T) {
	var e Encoder
	for _, n := range []int{1, 100, blockLiterals - 1, blockLiterals, blockLiterals + 1, 1_000_000} {
		// Five bytes for each stored block and for the last, and a byte's boundary.
		if got, most := len(e.Append(nil, random(1, n))), n+5*(n/maxStored+2)+5*(n/blockLiterals); got > most {
			t.Errorf("%d bytes are packed to %d, more than %d", n, got, most)
		}
	}
}

func TestTheShortestKindOfBlock(t *testing.T) {
	var e Encoder
	for name, c := range map[string]struct {
		text []byte
		kind byte
	}{
		"stored": {random(1, 10_000), 0},
		"fixed":  {[]byte("a short line, and a short line\n"), 1},
		"own":    {lines.Text(1, 1000), 2},
	} {
		if packed := e.Append(nil, c.text); packed[0] != c.kind<<1|packed[0]&^7 { // not the last: RFC 1951, 3.2.3
			t.Errorf("%s: the block begins with bits %03b", name, packed[0]&7)
		}
	}
}

func TestAnotherTextAllocatesNothing(t *testing.T) {
	var e Encoder
	text := lines.Text(1, 20_000)
	out := e.Append(nil, text)
	if n := testing.AllocsPerRun(3, func() { out = e.Append(out[:0], text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\n"), uint64(1), uint16(3))
	f.Add([]byte{}, uint64(0), uint16(0))
	f.Fuzz(func(t *testing.T, seed []byte, random uint64, times uint16) {
		// Words of the seed, in a random order.
		rnd := rand.New(rand.NewPCG(random, 3))
		text := bytes.Clone(seed)
		for range times {
			if len(seed) == 0 || len(text) > 1<<20 {
				break
			}
			from := rnd.IntN(len(seed))
			text = append(text, seed[from:from+rnd.IntN(len(seed)-from+1)]...)
			text = append(text, byte(rnd.Uint32()))
		}
		var e Encoder
		check(t, "text", e.Append(nil, text), text)
	})
}
