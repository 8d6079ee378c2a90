//go:build linux

package main

import (
	"errors"
	"sync"
	"time"
)

// crowd is who asks a server of several CPUs: on each of these a thread with many ports, so that the kernel spreads the
// queries over the server's sockets (SO_REUSEPORT).
type crowd struct {
	clients []*udpClient
	next    []source // each asks for names of its own
}

const (
	crowdCPUs  = 2
	crowdPorts = window / 2 // each has; the kernel's dice give no socket much more than its part of them
)

// gather opens the ports. questions are to be at least as many as CPUs.
func gather(port int, echo bool, questions []question) (*crowd, error) {
	c := &crowd{}
	for i := range crowdCPUs {
		client, err := dialUDP(port, echo, crowdPorts)
		if err != nil {
			c.close()
			return nil, err
		}
		part := questions[i*len(questions)/crowdCPUs : (i+1)*len(questions)/crowdCPUs]
		c.clients, c.next = append(c.clients, client), append(c.next, shuffled(part))
	}
	return c, nil
}

func (c *crowd) close() {
	for _, client := range c.clients {
		client.close()
	}
}

// closed has everybody ask as fast as there are answers, for so long.
func (c *crowd) closed(d time.Duration) (tally, error) {
	var asking sync.WaitGroup
	sums, faults := make([]tally, len(c.clients)), make([]error, len(c.clients))
	end := time.Now().Add(d)
	for i, client := range c.clients {
		asking.Go(func() {
			faults[i] = onCPUs([]int{i}, func() (err error) {
				sums[i], err = client.closed(c.next[i], noLimit, end)
				return err
			})
		})
	}
	asking.Wait()
	var sum tally
	for _, t := range sums {
		sum.add(t)
	}
	return sum, errors.Join(faults...)
}
