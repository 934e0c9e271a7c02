package cause

import "testing"

func TestAppPath(t *testing.T) {
	for path, want := range map[string]string{
		"/app/shop/pricing.py":                      "shop/pricing.py",
		"/srv/app/shop/pricing.py":                  "shop/pricing.py",
		"/srv/shop/pricing.py":                      "shop/pricing.py",
		"/usr/src/app/routes/users.js":              "routes/users.js",
		"/home/deploy/shop/a.rb":                    "shop/a.rb",
		"/var/www/shop/releases/20261129/app/a.php": "app/a.php",
		"/data/teams/one/two/three/four.py":         "two/three/four.py",
		`C:\inetpub\shop\Cart.cs`:                   "inetpub/shop/Cart.cs",
		"webpack-internal:///./pages/checkout.js":   "pages/checkout.js",
		"file:///app/server.mjs":                    "server.mjs",
		"./lib/shop.ex":                             "lib/shop.ex",
	} {
		if got := appPath(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
