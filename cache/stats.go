package cache

// Stats is a snapshot of what the cache did since the start.
type Stats struct {
	Entries       int               `json:"entries"`
	Octets        int               `json:"octets"` // that the entries take up, about
	Capacity      int               `json:"capacity"`
	Hits          uint64            `json:"hits"`           // all of them, glue and bundle included
	Misses        uint64            `json:"misses"`         // expired ones included
	GlueHits      uint64            `json:"glue_hits"`      // answered from an additional section
	BundleHits    uint64            `json:"bundle_hits"`    // answered from what a bundle fetched ahead of the client
	StaleHits     uint64            `json:"stale_hits"`     // expired answers given because upstream failed (RFC 8767)
	Expired       uint64            `json:"expired"`        // misses on an entry whose TTL had run out
	Evicted       uint64            `json:"evicted"`        // entries that made room for others
	EvictedMemory uint64            `json:"evicted_memory"` // of these, because of their size: cache.memory
	NotKept       uint64            `json:"not_kept"`       // responses passed on and forgotten: TC, or more than 256 records
	GlueStored    uint64            `json:"glue_stored"`    // address RRsets promoted to glue
	GlueRefused   map[string]uint64 `json:"glue_refused"`   // address RRsets not promoted, by the guard that refused
	GlueDiffers   uint64            `json:"glue_differs"`   // glue that a later answer contradicted
}
