// Goroutines, channels, a collected heap and timers, without C.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"time"
)

func main() {
	var wait sync.WaitGroup
	results := make(chan string, 16)
	for worker := 0; worker < 100; worker++ {
		wait.Add(1)
		go func(worker int) {
			defer wait.Done()
			garbage := make([][]byte, 0)
			for i := 0; i < 100; i++ {
				garbage = append(garbage, make([]byte, 4096))
			}
			time.Sleep(time.Millisecond)
			results <- fmt.Sprintf("%03d %x %d", worker, sha256.Sum256([]byte(fmt.Sprint(worker))), len(garbage))
		}(worker)
	}
	go func() { wait.Wait(); close(results) }()
	lines := []string{}
	for line := range results {
		lines = append(lines, line)
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
	runtime.GC()
	os.WriteFile("/tmp/go", []byte("written"), 0o644)
	text, err := os.ReadFile("/tmp/go")
	fmt.Println(string(text), err)
	os.Exit(6)
}
