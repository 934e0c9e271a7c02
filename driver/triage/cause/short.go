package cause

import "strings"

// String returns the type and the message's first line, such as "ZeroDivisionError:
// division by zero".
func (c *Cause) String() string {
	message, _, _ := strings.Cut(c.Message, "\n")
	switch {
	case c.Type == "":
		return message
	case message == "":
		return c.Type
	default:
		return c.Type + ": " + message
	}
}

// Short names the cause in a few words: its type without the package, and the frame, such
// as "ZeroDivisionError in shop.pricing.mean_price"; without a type, the message's first
// line.
func (c *Cause) Short() string {
	if c.Type == "" {
		return c.String()
	}
	short := c.Type[strings.LastIndexAny(c.Type, `.:\`)+1:]
	if short == "" {
		short = c.Type
	}
	if c.Frame != "" {
		short += " in " + c.Frame
	}
	return short
}
