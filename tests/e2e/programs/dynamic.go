// Go with C: threads of both, and calls between them.
package main

/*
#include <string.h>
static int length(const char *text) { return (int)strlen(text); }
*/
import "C"

import (
	"fmt"
	"sync"
	"unsafe"
)

func main() {
	var wait sync.WaitGroup
	sums := make([]int, 16)
	for worker := range sums {
		wait.Add(1)
		go func(worker int) {
			defer wait.Done()
			text := []byte(fmt.Sprintf("%0*d\x00", worker+1, 0))
			for i := 0; i < 1000; i++ {
				sums[worker] += int(C.length((*C.char)(unsafe.Pointer(&text[0]))))
			}
		}(worker)
	}
	wait.Wait()
	fmt.Println(sums)
}
