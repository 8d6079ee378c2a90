package monitor

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// put keeps the state of a domain, its last result with the others, and what happened; all or nothing. What
// the limits have no room for goes.
func (s *Store) put(state State, events []Event) error {
	return s.update(func(tx *bbolt.Tx) error {
		if err := putJSON(tx.Bucket(statesBucket), []byte(state.Domain), state); err != nil {
			return err
		}
		results, err := tx.Bucket(resultsBucket).CreateBucketIfNotExists([]byte(state.Domain))
		if err != nil {
			return err
		}
		oldest := state.Last.At.Add(-s.limits.Age)
		if err := appendTo(results, state.Last, s.limits.Results, oldest); err != nil {
			return err
		}
		for _, e := range events {
			if err := appendTo(tx.Bucket(eventsBucket), e, s.limits.Events, oldest); err != nil {
				return err
			}
		}
		return nil
	})
}

// appendTo puts a value behind the others and drops from the front what is over limit or from before oldest.
func appendTo(b *bbolt.Bucket, value any, limit int, oldest time.Time) error {
	n, err := b.NextSequence()
	if err != nil {
		return err
	}
	if err := putJSON(b, binary.BigEndian.AppendUint64(nil, n), value); err != nil {
		return err
	}
	for c := b.Cursor(); ; {
		k, v := c.First()
		if k == nil || n-binary.BigEndian.Uint64(k) < uint64(limit) && !before(v, oldest) {
			return nil
		}
		if err := b.Delete(k); err != nil {
			return err
		}
	}
}

// before tells whether a Result or an Event is from before t.
func before(v []byte, t time.Time) bool {
	var dated struct {
		At time.Time `json:"at"`
	}
	return json.Unmarshal(v, &dated) == nil && dated.At.Before(t)
}

// forget drops a domain and its results. Events of it stay as long as others.
func (s *Store) forget(domain string) error {
	return s.update(func(tx *bbolt.Tx) error {
		if results := tx.Bucket(resultsBucket); results.Bucket([]byte(domain)) != nil {
			if err := results.DeleteBucket([]byte(domain)); err != nil {
				return err
			}
		}
		return tx.Bucket(statesBucket).Delete([]byte(domain))
	})
}

// states returns the state of every domain.
func (s *Store) states() (states map[string]State, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		states, err = statesIn(tx)
		return err
	})
	return states, err
}

func statesIn(tx *bbolt.Tx) (map[string]State, error) {
	states := make(map[string]State)
	return states, tx.Bucket(statesBucket).ForEach(func(k, v []byte) error {
		var state State
		if err := json.Unmarshal(v, &state); err != nil {
			return fmt.Errorf("the state of %.40q: %w", k, err)
		}
		if state.Domain != string(k) {
			return fmt.Errorf("the state of %.40q says that it is of %.40q", k, state.Domain)
		}
		states[string(k)] = state
		return nil
	})
}

// sound reads every value as what it is to be. One that is JSON and nothing of ours would be met by whoever looks at it.
func sound(tx *bbolt.Tx) error {
	if _, err := statesIn(tx); err != nil {
		return err
	}
	if err := eachIs[Event](tx.Bucket(eventsBucket)); err != nil {
		return fmt.Errorf("an event: %w", err)
	}
	results := tx.Bucket(resultsBucket)
	return results.ForEach(func(domain, _ []byte) error {
		of := results.Bucket(domain)
		if of == nil {
			return fmt.Errorf("the results of %.40q are none", domain)
		}
		if err := eachIs[Result](of); err != nil {
			return fmt.Errorf("a result of %.40q: %w", domain, err)
		}
		return nil
	})
}

// eachIs tells whether each value of a bucket that appendTo filled is a T.
func eachIs[T any](b *bbolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		if len(k) != sequenceLen {
			return fmt.Errorf("%.40q is no number", k)
		}
		var value T
		return json.Unmarshal(v, &value)
	})
}

// sequenceLen is how long the keys of appendTo are, octets.
const sequenceLen = 8

// history returns the last n results of a domain, the newest first.
func (s *Store) history(domain string, n int) (results []Result, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(resultsBucket).Bucket([]byte(domain)); b != nil {
			results, err = last[Result](b, n)
		}
		return err
	})
	return results, err
}

// events returns the last n events, the newest first.
func (s *Store) events(n int) (events []Event, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		events, err = last[Event](tx.Bucket(eventsBucket), n)
		return err
	})
	return events, err
}

// last returns the last n values of a bucket, the newest first.
func last[T any](b *bbolt.Bucket, n int) ([]T, error) {
	var values []T
	c := b.Cursor()
	for k, v := c.Last(); k != nil && len(values) < n; k, v = c.Prev() {
		var value T
		if err := json.Unmarshal(v, &value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

func putJSON(b *bbolt.Bucket, key []byte, value any) error {
	v, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(key, v)
}
