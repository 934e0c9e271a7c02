//go:build (amd64 || arm64) && !race

package deflate

import "unsafe"

// load64 and load32 read the bytes of b from i on, the first one lowest. They
// must be there: nobody checks, which is worth an eighth of all time. Tests with
// race detection run with load_checked.go, where a wrong i is a panic.

func load64(b []byte, i int) uint64 {
	return *(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))
}

func load32(b []byte, i int) uint32 {
	return *(*uint32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))
}
