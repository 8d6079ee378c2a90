package upstream

import "sync"

// resting are the sockets that wait for a question.
type resting struct {
	mu   sync.Mutex
	all  []*Asked
	shut bool
}

// maxResting is how many of them there are at most: as many as questions are commonly out at a time.
const maxResting = 64

// rested returns one that was used before, or nil.
func (u *Upstream) rested() *Asked {
	r := &u.resting
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) == 0 {
		return nil
	}
	a := r.all[len(r.all)-1]
	r.all = r.all[:len(r.all)-1]
	return a
}

// put lets a rest; false if there are enough, or none is wanted any more.
func (r *resting) put(a *Asked) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut || len(r.all) >= maxResting {
		return false
	}
	r.all = append(r.all, a)
	return true
}

func (r *resting) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.all {
		a.close()
	}
	r.all, r.shut = nil, true
}
