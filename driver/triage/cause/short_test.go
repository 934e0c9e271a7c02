package cause

import "testing"

func TestCause_Short(t *testing.T) {
	for _, tt := range []struct {
		c           Cause
		long, short string
	}{
		{Cause{Type: "ZeroDivisionError", Message: "division by zero", Frame: "shop.mean"},
			"ZeroDivisionError: division by zero", "ZeroDivisionError in shop.mean"},
		{Cause{Type: "java.lang.IllegalStateException"}, "java.lang.IllegalStateException", "IllegalStateException"},
		{Cause{Type: "ActiveRecord::RecordNotFound", Message: "a\nb"}, "ActiveRecord::RecordNotFound: a", "RecordNotFound"},
		{Cause{Type: `App\Exception`}, `App\Exception`, "Exception"},
		{Cause{Message: "upstream timed out\nat once"}, "upstream timed out", "upstream timed out"},
		{Cause{Type: "odd."}, "odd.", "odd."},
	} {
		if long, short := tt.c.String(), tt.c.Short(); long != tt.long || short != tt.short {
			t.Errorf("%+v: %q and %q, want %q and %q", tt.c, long, short, tt.long, tt.short)
		}
	}
}
