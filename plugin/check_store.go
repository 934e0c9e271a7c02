package plugin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"

	"github.com/logfast/logfast/driver/store"
)

// versioner is a store that may keep what was deleted.
type versioner interface{ Versioned() bool }

// roundTrip puts an object, gets it, finds it, tries to overwrite it, and deletes it.
func (c *checker) roundTrip(ctx context.Context, cfg *Config, objects store.Store) {
	url := cfg.objectURL(TestObject)
	err := putText(ctx, objects, testText)
	if errors.Is(err, store.ErrExists) {
		// An earlier check has overwritten it, in a store that allows that, and
		// could not delete it.
		if err = putText(ctx, objects, otherText); errors.Is(err, store.ErrExists) {
			c.fail("put", url+" is there and is another object", "Move it away: the name is for logfast check")
			return
		}
	}
	if err != nil {
		c.failStore("put", err)
		return
	}
	c.ok("put", "%s", url)
	c.get(ctx, objects)
	c.list(ctx, objects)
	c.overwrite(ctx, objects, url)
	if learner, ok := objects.(store.Learner); ok {
		for _, note := range learner.Learned() {
			c.warn("compatible", note,
				"It works so; nothing has to be done. To change it, update the store or ask its operator")
		}
	}
	c.remove(ctx, objects, url)
}

// otherText is what a check puts over its own object, which a store must refuse.
const otherText = "logfast check has put this over its object, to see whether the store lets it. It may be " +
	"deleted by anybody.\n"

func putText(ctx context.Context, objects store.Store, text string) error {
	attrs := store.Attributes{Size: int64(len(text)), SHA256: sha256.Sum256([]byte(text)), ContentType: "text/plain"}
	return objects.Put(ctx, TestObject, strings.NewReader(text), attrs)
}

func (c *checker) get(ctx context.Context, objects store.Store) {
	body, _, err := objects.Get(ctx, TestObject)
	if err == nil {
		var b []byte
		if b, err = io.ReadAll(body); err == nil && string(b) != testText && string(b) != otherText {
			err = errors.New("it is not what was put")
		}
		body.Close()
	}
	if err != nil {
		text, _ := store.Advice(err)
		c.fail("get", text, "Allow s3:GetObject as well: logfast needs it to see, after an answer was lost, whether "+
			"an object is its own")
		return
	}
	c.ok("get", "the same bytes come back")
}

// overwrite puts other bytes under the key that is taken. The store has to refuse
// that, by a conditional write or because logfast looks first.
func (c *checker) overwrite(ctx context.Context, objects store.Store, url string) {
	other := otherText
	if body, _, err := objects.Get(ctx, TestObject); err == nil {
		b, err := io.ReadAll(body)
		if err == nil && bytes.Equal(b, []byte(otherText)) {
			other = testText
		}
		body.Close()
	}
	err := putText(ctx, objects, other)
	switch {
	case errors.Is(err, store.ErrExists):
		c.ok("overwrite", "an object is not overwritten by another with its key")
	case err == nil:
		c.warn("overwrite", "the store has overwritten "+url+
			": it ignores conditional writes (If-None-Match), and logfast may not look first",
			"Each upload is still complete and confirmed, but two hosts that upload to one key can "+
				"overwrite each other: "+
				"give each host a name of its own (LOGFAST_HOST), allow s3:GetObject, or use a store with "+
				"conditional writes")
	default:
		text, remedy := store.Advice(err)
		c.warn("overwrite", text, remedy)
	}
}

// remove deletes the object, and says what stays of it.
func (c *checker) remove(ctx context.Context, objects store.Store, url string) {
	deleter, ok := objects.(store.Deleter)
	if !ok {
		c.warn("delete", "this store cannot delete: "+url+" stays, and is used again", "Delete it by hand, or leave it")
		return
	}
	if err := deleter.Delete(ctx, TestObject); err != nil {
		text, _ := store.Advice(err)
		c.warn("delete", text,
			url+" stays, and is used again: leave it, or delete it by hand. logfast itself needs no right to delete")
		return
	}
	if kept, ok := objects.(versioner); ok && kept.Versioned() {
		c.ok("delete", "deleted; the bucket keeps versions, so a version of %d bytes of %s and a delete marker stay. "+
			"Each check adds such a pair; a lifecycle rule for noncurrent versions removes them", len(testText), url)
		return
	}
	c.ok("delete", "nothing of the check stays")
}
