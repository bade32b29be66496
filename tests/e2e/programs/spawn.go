package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

func main() {
	var wg sync.WaitGroup
	var mu sync.Mutex
	n := 0
	for i := 0; i < 20; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			out, err := exec.Command("sh", "-c", fmt.Sprintf("echo %d; exit 0", i)).Output()
			if err != nil {
				fmt.Println(err)
				return
			}
			if strings.TrimSpace(string(out)) == fmt.Sprint(i) {
				mu.Lock()
				n++
				mu.Unlock()
			}
		}(i)
	}
	wg.Wait()
	fmt.Println("ok", n)
	c := exec.Command("cat")
	c.Stdin = strings.NewReader("piped")
	o, err := c.Output()
	fmt.Println(string(o), err)
	err = exec.Command("sh", "-c", "exit 7").Run()
	fmt.Println(err)
	err = exec.Command("sh", "-c", "kill -9 $$").Run()
	fmt.Println(err)
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGUSR1)
	exec.Command("sh", "-c", fmt.Sprintf("kill -USR1 %d", os.Getpid())).Run()
	fmt.Println(<-ch)
}
