// go_peer: SCTP from Go, by raw system calls, one-to-one: asks an echo server COUNT times, and prints
// how many answers were right.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	count, _ := strconv.Atoi(os.Args[2])
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 132)
	if err != nil {
		panic(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		panic(err)
	}
	right := 0
	answer := make([]byte, 1024)
	for i := 0; i < count; i++ {
		question := []byte(fmt.Sprintf("question %d", i))
		if _, err := syscall.Write(fd, question); err != nil {
			panic(err)
		}
		n, err := syscall.Read(fd, answer)
		if err != nil {
			panic(err)
		}
		if bytes.Equal(answer[:n], question) {
			right++
		}
	}
	syscall.Close(fd)
	fmt.Println(right, "right")
}
