package upstream

// Trusted says whether the AD bit it sets can be believed.
func (u *Upstream) Trusted() bool { return u.peer.Addr().IsLoopback() }
