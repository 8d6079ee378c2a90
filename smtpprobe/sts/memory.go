package sts

import (
	"sync"
	"time"
)

const (
	failureMemory = 5 * time.Minute // before the next fetch of the same id: RFC 8461 3.3
	maxFailures   = 1024            // domains whose failures are remembered
)

// memory keeps the results of fetches that failed, by domain.
type memory struct {
	mu       sync.Mutex
	failures map[string]failure
}

// failure is a result and when it was found.
type failure struct {
	result Result
	at     time.Time
}

// recall returns the failure of a domain's record, if it is recent. Another id is another policy.
func (m *memory) recall(domain, id string, now time.Time) (Result, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, found := m.failures[domain]
	if !found || f.result.ID != id || now.Sub(f.at) >= failureMemory {
		return Result{}, false
	}
	f.result.Remembered = true
	return f.result, true
}

// note keeps a failure, and forgets the old ones where there are too many; where none is old, it forgets any one.
func (m *memory) note(domain string, r Result, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failures == nil {
		m.failures = make(map[string]failure)
	}
	if len(m.failures) >= maxFailures {
		for domain, f := range m.failures {
			if now.Sub(f.at) >= failureMemory {
				delete(m.failures, domain)
			}
		}
	}
	for domain := range m.failures {
		if len(m.failures) < maxFailures {
			break
		}
		delete(m.failures, domain)
	}
	m.failures[domain] = failure{r, now}
}
