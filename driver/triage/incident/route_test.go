package incident

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

const (
	lowers    = "abcdefghijklmnopqrstuvwxyz"
	uppers    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits    = "0123456789"
	hexes     = "0123456789abcdef"
	base36    = digits + lowers
	base62    = digits + lowers + uppers
	base64url = base62 + "-_"
	bits32    = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's base32
	pods      = "bcdfghjklmnpqrstvwxz2456789"      // of the names that Kubernetes makes
)

// draw draws n characters of an alphabet.
func draw(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// drawUUID draws a UUID of version 4.
func drawUUID(r *rand.Rand) string {
	h := draw(r, hexes, 32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// idKinds are kinds of identifiers and how many routes 2,000 of one may make.
var idKinds = []struct {
	name  string
	most  int
	drawn func(r *rand.Rand) string
}{
	{"base62 of 6", 200, func(r *rand.Rand) string { return draw(r, base62, 6) }},
	{"base62 of 7", 200, func(r *rand.Rand) string { return draw(r, base62, 7) }},
	{"base62 of 8", 200, func(r *rand.Rand) string { return draw(r, base62, 8) }},
	{"base62 of 9", 200, func(r *rand.Rand) string { return draw(r, base62, 9) }},
	{"base62 of 10", 200, func(r *rand.Rand) string { return draw(r, base62, 10) }},
	{"base62 of 11", 20, func(r *rand.Rand) string { return draw(r, base62, 11) }},
	{"YouTube", 20, func(r *rand.Rand) string { return draw(r, base64url, 11) }},
	{"base62 of 16", 20, func(r *rand.Rand) string { return draw(r, base62, 16) }},
	{"base62 of 22", 20, func(r *rand.Rand) string { return draw(r, base62, 22) }},
	{"nanoid of 21", 20, func(r *rand.Rand) string { return draw(r, base64url, 21) }},
	{"nanoid of 10", 200, func(r *rand.Rand) string { return draw(r, base64url, 10) }},
	{"nanoid of 8", 200, func(r *rand.Rand) string { return draw(r, base64url, 8) }},
	{"cuid", 20, func(r *rand.Rand) string { return "c" + draw(r, base36, 24) }},
	{"cuid2", 20, func(r *rand.Rand) string { return draw(r, lowers, 1) + draw(r, base36, 23) }},
	{"cuid2 of 10", 200, func(r *rand.Rand) string { return draw(r, lowers, 1) + draw(r, base36, 9) }},
	{"ULID", 20, func(r *rand.Rand) string { return "01" + strings.ToUpper(draw(r, bits32, 24)) }},
	{"lower-case ULID", 20, func(r *rand.Rand) string { return "01" + draw(r, bits32, 24) }},
	{"TypeID", 20, func(r *rand.Rand) string { return "user_01" + draw(r, bits32, 24) }},
	{"KSUID", 20, func(r *rand.Rand) string { return draw(r, base62, 27) }},
	{"Firestore", 20, func(r *rand.Rand) string { return draw(r, base62, 20) }},
	{"Stripe charge", 20, func(r *rand.Rand) string { return "ch_3" + draw(r, base62, 23) }},
	{"Stripe customer", 20, func(r *rand.Rand) string { return "cus_" + draw(r, base62, 14) }},
	{"Stripe key", 20, func(r *rand.Rand) string { return "price_live_1" + draw(r, base62, 23) }},
	{"ObjectId", 20, func(r *rand.Rand) string { return "65" + draw(r, hexes, 22) }},
	{"git of 7", 200, func(r *rand.Rand) string { return draw(r, hexes, 7) }},
	{"git of 8", 200, func(r *rand.Rand) string { return draw(r, hexes, 8) }},
	{"git of 10", 200, func(r *rand.Rand) string { return draw(r, hexes, 10) }},
	{"git of 12", 20, func(r *rand.Rand) string { return draw(r, hexes, 12) }},
	{"SHA-1", 20, func(r *rand.Rand) string { return draw(r, hexes, 40) }},
	{"SHA-256", 20, func(r *rand.Rand) string { return "sha256:" + draw(r, hexes, 64) }},
	{"UUID", 20, drawUUID},
	{"upper-case UUID", 20, func(r *rand.Rand) string { return strings.ToUpper(drawUUID(r)) }},
	{"UUID in braces", 20, func(r *rand.Rand) string { return "{" + drawUUID(r) + "}" }},
	{"UUID in escaped braces", 20, func(r *rand.Rand) string { return "%7B" + drawUUID(r) + "%7D" }},
	{"UUID in a file's name", 20, func(r *rand.Rand) string { return "scan-" + drawUUID(r) + ".pdf" }},
	{"UUID without dashes", 20, func(r *rand.Rand) string { return draw(r, hexes, 32) }},
	{"UUID in base64url", 20, func(r *rand.Rand) string { return draw(r, base64url, 22) }},
	{"UUID in base64", 20, func(r *rand.Rand) string {
		return strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(draw(r, base62+"+/", 22) + "==")
	}},
	{"snowflake", 20, func(r *rand.Rand) string { return "1" + draw(r, digits, 17) }},
	{"sqids of 8", 200, func(r *rand.Rand) string { return draw(r, base62, 8) }},
	{"hashids of 10", 200, func(r *rand.Rand) string { return draw(r, base62, 10) }},
	{"xid", 20, func(r *rand.Rand) string { return "c" + draw(r, "0123456789abcdefghijklmnopqrstuv", 19) }},
	{"pod", 20, func(r *rand.Rand) string { return "web-" + draw(r, pods, 10) + "-" + draw(r, pods, 5) }},
	{"pod of a long name", 20, func(r *rand.Rand) string { return "api-gw-" + draw(r, pods, 9) + "-" + draw(r, pods, 5) }},
	{"pod of a DaemonSet", 200, func(r *rand.Rand) string { return "fluentd-" + draw(r, pods, 5) }},
	{"ReplicaSet", 20, func(r *rand.Rand) string { return "checkout-" + draw(r, pods, 10) }},
	{"asset of webpack", 200, func(r *rand.Rand) string { return "main." + draw(r, hexes, 8) + ".js" }},
	{"asset of Vite", 200, func(r *rand.Rand) string { return "index-" + draw(r, base64url, 8) + ".css" }},
	{"asset of Vue", 200, func(r *rand.Rand) string { return "chunk-vendors." + draw(r, hexes, 8) + ".js.map" }},
	{"asset with an MD5", 20, func(r *rand.Rand) string { return "app-" + draw(r, hexes, 20) + ".min.js" }},
	{"container", 20, func(r *rand.Rand) string { return draw(r, hexes, 12) }},
	{"container's long id", 20, func(r *rand.Rand) string { return draw(r, hexes, 64) }},
	{"Slack channel", 200, func(r *rand.Rand) string { return "C0" + draw(r, digits+uppers, 7) }},
	{"Slack user", 200, func(r *rand.Rand) string { return "U0" + draw(r, digits+uppers, 9) }},
	{"JSON Web Token", 20, func(r *rand.Rand) string {
		return "eyJhbGciOiJIUzI1NiJ9.eyJ" + draw(r, base64url, 60) + "." + draw(r, base64url, 43)
	}},
	{"JSON in base64", 20, func(r *rand.Rand) string {
		return base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"user":%d,"cart":"%s"}`, r.IntN(1e9), draw(r, hexes, 6))))
	}},
	{"phone number", 20, func(r *rand.Rand) string { return "+49-170-" + draw(r, digits, 7) }},
	{"phone number with blanks", 20, func(r *rand.Rand) string { return "%2B49%20(170)%20" + draw(r, digits, 7) }},
	{"date", 20, func(r *rand.Rand) string {
		return fmt.Sprintf("20%02d-%02d-%02d", r.IntN(30), 1+r.IntN(12), 1+r.IntN(28))
	}},
	{"time", 20, func(r *rand.Rand) string {
		return fmt.Sprintf("2026-%02d-%02dT%02d:%02d:%02dZ", 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60))
	}},
	{"compact time", 20, func(r *rand.Rand) string { return "20261123T" + draw(r, digits, 6) + "Z" }},
	{"IP address", 20, func(r *rand.Rand) string { return fmt.Sprintf("10.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256)) }},
	{"e-mail address", 20, func(r *rand.Rand) string { return draw(r, lowers, 6) + "@example.com" }},
	{"escaped e-mail address", 20, func(r *rand.Rand) string { return draw(r, lowers, 6) + "%40example.com" }},
	{"e-mail address escaped twice", 20, func(r *rand.Rand) string { return draw(r, lowers, 6) + "%2540example.com" }},
	{"escaped bytes", 20, func(r *rand.Rand) string { return "%ff%fe%" + draw(r, hexes, 2) + "%" + draw(r, hexes, 2) }},
	{"number behind an escape", 20, func(r *rand.Rand) string { return "order%20" + draw(r, digits, 3) }},
}

func TestRoute_Identifiers(t *testing.T) {
	for _, kind := range idKinds {
		for seed := range uint64(3) {
			r := rand.New(rand.NewPCG(seed, 15))
			routes := map[string]int{}
			for range 2000 {
				routes[Route([]byte("/x/"+kind.drawn(r)+"/y"))]++
			}
			if len(routes) > kind.most {
				t.Errorf("%s, seed %d: 2,000 make %d routes, want at most %d: %s", kind.name, seed, len(routes), kind.most, some(routes))
			}
		}
	}
}

// some returns a few of the routes.
func some(routes map[string]int) string {
	var few []string
	for route := range routes {
		if few = append(few, route); len(few) == 12 {
			break
		}
	}
	return strings.Join(few, " ")
}

func TestRoute_WordsStay(t *testing.T) {
	words := strings.Fields(stay)
	if len(words) < 400 {
		t.Fatalf("%d words", len(words))
	}
	for _, word := range words {
		path := "/x/" + word + "/y"
		if got := Route([]byte(path)); got != path {
			t.Errorf("%s: %s", path, got)
		}
	}
	// Numbers in them are replaced, and nothing else is.
	for _, word := range strings.Fields(stayWithNumbers) {
		if got := Route([]byte("/" + word)); strings.Contains(got, "{id}") {
			t.Errorf("%s: %s", word, got)
		}
	}
}

// stay are parts of paths that are a part of the route as they are.
const stay = `
api v1 v2 v2.1 v10 v1beta1 v1alpha2 v2beta3 2.0.0-rc1 1.2.3 v1.2.3-beta.2 1.0-SNAPSHOT 3.2.1.Final v20.11.0 v1.0.0-alpha
4.18.2 0.9.1-dev
users user orders order items item products product cart checkout basket payment payments invoice invoices shipping
login logout signin signup register password reset forgot verify confirm account accounts profile settings preferences
admin dashboard reports report analytics metrics health healthz readyz livez status ping version info debug pprof
search filter export import upload uploads download downloads files file images image photos avatars thumbnails media
static assets css js fonts img icons public dist build vendor node_modules bower_components lib libs src themes plugins
blog posts post comments comment tags tag categories category archive feed rss atom sitemap about contact imprint privacy
terms faq help support docs documentation guides guide tutorials tutorial examples reference changelog roadmap careers
webhooks webhook callback callbacks oauth oauth2 oauth2callback openid token tokens session sessions authorize sso saml
graphql graphiql rest soap grpc jsonrpc xmlrpc websocket sockjs socket.io engine.io swagger openapi redoc
robots.txt favicon.ico sitemap.xml index.html index.php main.js app.js style.css jquery.min.js bootstrap.min.css humans.txt
ads.txt security.txt manifest.json service-worker.js sw.js apple-touch-icon.png sha256sum.txt package.json package-lock.json
composer.json docker-compose.yml Dockerfile README.md CHANGELOG.md LICENSE.txt Makefile go.mod go.sum Cargo.toml
wp-admin wp-login.php wp-content wp-includes wp-json xmlrpc.php phpmyadmin cgi-bin server-status .well-known .git .env
acme-challenge apple-app-site-association assetlinks.json openid-configuration jwks.json
s3 ec2 ipv4 ipv6 mp3 mp4 x509 web3 web2 covid19 2fa h264 h265 utf8 log4j k8s i18n l10n a11y e2e b2b b2c p2p c2c md5 sha1 sha256
sha512 base64 base32 crc32 arm64 amd64 win32 win64 x64 x86 3d 2d 4k 8k 5g 4g 24h 1st 2nd 3rd 7zip bzip2 gzip h2o o365 ie11 html5
css3 es6  php8 python3 perl5 http2 http3 tls13 aes256 rsa4k secp256k1  argon2 bcrypt scrypt pbkdf2 pkcs12 oauth1 ps5 xbox360
iphone15 galaxy24 rtx30 gpt4 gpt4o t5 f16 a4 a3 q1 q2 h1 rc1 beta2 alpha3 page2 step1 step2 tab3 level42 area51 studio54
getUserById createOrder listItems findAllByName updateCustomerAddress deleteCartItem sendPasswordResetEmail isAvailable
GetCustomerOrdersByRegion UserService OrderController XMLHttpRequest HTTPServer JSONParser URLEncoder HtmlReport PdfExport
OAuth OAuth2Client GraphQL YouTube PayPal GitHub GitLab BitBucket LinkedIn WordPress JavaScript TypeScript PostgreSQL MySQL
SQLite MongoDB RabbitMQ ActiveMQ ElasticSearch OpenSearch CouchDB DynamoDB BigQuery CloudFront CloudWatch SageMaker iPhone iPad
eBay macOS iOS jQuery WiFi VMware LaTeX DevOps FinTech SaaS IoT VoIP GmbH McDonalds userID orderIDs customerUUID
en-US en-GB de-DE de_AT fr-CA pt_BR zh-Hant-TW zh_CN sr-Latn en de fr es it nl pl cs da sv fi no pt ru ja ko zh
user_profile order_items customer_addresses last_login_at created_by is_active first_name created-at order-history
how-to-cook-a-proper-goulash-at-home the-quick-brown-fox 10x-your-sales-b2b-and-b2c top-ten-tips-for-ios-developers
facade facades decade decades added beef deadbeef feedface cafebabe cafe face fade bead deaf decaf accede efface defaced
benutzer bestellung bestellungen warenkorb kasse zahlung rechnung rechnungen lieferung versand anmelden abmelden registrieren
passwort konto einstellungen hilfe impressum datenschutz agb kontakt suche angebote kategorien produkte artikel gutschein
startseite nachrichten veranstaltungen oeffnungszeiten geschaeftsbedingungen datenschutzerklaerung straße größe übersicht
krankenversicherung rechtsschutzversicherung kundendienst wohnungsbaugesellschaft
utilisateur utilisateurs commande commandes panier paiement facture factures livraison connexion deconnexion inscription
compte parametres aide mentions-legales confidentialite recherche produits promotions accueil actualites evenements
quelques-uns aujourdhui bienvenue voyages hebergement assurance categorie élèves français
usuario usuarios pedido pedidos carrito pago pagos factura facturas envio entrar salir registro contrasena cuenta ajustes
ayuda aviso-legal privacidad buscar productos ofertas inicio noticias eventos reservas habitaciones seguro vuelos mañana
react vue angular svelte nextjs nuxt gatsby lodash moment axios express fastify koa webpack rollup vite esbuild parcel babel
eslint prettier jest mocha cypress playwright storybook tailwindcss bootstrap jquery backbone ember handlebars mustache
django flask fastapi celery sqlalchemy numpy pandas scipy matplotlib pytorch tensorflow sklearn requests urllib3 boto3 psycopg2
spring hibernate maven gradle junit mockito jackson kafka zookeeper hadoop spark flink airflow cassandra redis memcached
nginx apache2 httpd haproxy traefik envoy istio linkerd consul vault nomad terraform ansible puppet jenkins sonarqube nexus
kubernetes kubectl kubelet etcd coredns prometheus grafana alertmanager loki tempo jaeger zipkin fluentd fluentbit logstash kibana
ubuntu debian alpine fedora centos rockylinux opensuse archlinux freebsd openbsd netbsd windows android chromium firefox safari
@babel @types @angular @vue @scope @scope%2fpkg %40babel core-js styled-components react-dom vue-router redux-thunk
hypnotic rhythm syzygy xylophone zugzwang jazz quiz pizza kiosk vodka sphinx lynx onyx crypt gypsy tryst psych tsch
nguyen zhang schmidt szczepanski krzysztof brzeczyszczykiewicz mbappe tchaikovsky dvorak ngozi hrvoje
london paris berlin muenchen newyork tokyo wroclaw rzeszow szczecin reykjavik ljubljana kyiv lviv zuerich
README LICENSE INSTALL TODO FAQ HTTP HTTPS JSON XML HTML CSS SQL API REST UUID ULID RSA NATO UNESCO WHO USA GDPR
ORDERS CUSTOMERS INVOICES SHIPMENTS ACCOUNTS REPORTS
hotel-berlin-mitte iphone-case blue-jeans summer-sale black-friday gift-cards 4x4 24x7 9to5 mp3tag s3fs utf8mb4 web3js md5sum
sha256sum
x264 ffmpeg libxml2 libpng zlib openssl gnutls mbedtls wolfssl openssh rsync wget curl tcpdump nmap
newMap oldCfg tmpFile cmdStr strNum htmlSig myApp wsUrl isIPv4 parseIPv6Address typeOfError errNoBody skipOrFatalFn bigToSmall
useAVX McNeil dbConn idToken appVersion fooBar BarBaz
bvid aid cid txn msg pkg svc cfg ctx tmp usr etc opt var bin dev sys proc mnt lhr sfo fra nyc vpc vpn dns dhcp smtp imap pop3
mysqld postgres mariadb sqlite3 neo4j influxdb timescaledb clickhouse duckdb rocksdb leveldb
`

// stayWithNumbers are parts of paths in which no more than a number is replaced.
const stayWithNumbers = `
utf-8 covid-19 iso-8859-1 x86_64 x25519 ed25519 es2015x es-419 iphone-15-pro windows-11 python3.11 go1.21 jquery-3.6.0.min.js
bootstrap@5.3.2 react@18.2.0
react-dom@18.3.0-canary.1 order-1234.pdf order1234 invoice_2026_11.pdf IMG_20261123.jpg force-https player-html5 old-xhtml
chapter-xviii McNeil 2026 11 page-2 2026-Q4 h264-1080p 1080p
win10 office365 4711-koelnisch-wasser 99bottles year2026 photo-1.jpg chapter-01 rfc9110 iso27001 en16931 din5008 PCI-DSS-4.0
2.0 10.0.0.1 v2.1-2026 room101 summer2026 b737 a320neo boeing747 mi5 ps2 xp7 level-3-b 12-angry-men 7up 1und1 3sat 50percent
`

func TestRoute_PartsOfNames(t *testing.T) {
	for path, want := range map[string]string{
		"/js/main.3f2a1b9c.js":                         "/js/main.{id}.js",
		"/js/chunk-vendors.8b1c2d3e.js.map":            "/js/chunk-vendors.{id}.js.map",
		"/assets/index-BxW3kq2a.css":                   "/assets/index-{id}.css",
		"/pods/web-5d4f8c7b9d-x2x7k/log":               "/pods/web-{id}/log",
		"/pods/api-gw-5d4f8c7b9d-bxkzn":                "/pods/api-gw-{id}",
		"/v1/customers/cus_NffrFeUfNV2Hib":             "/v1/customers/cus_{id}",
		"/v1/user_01h455vb4pex5vsknk084sn02q":          "/v1/user_{id}",
		"/watch/dQw4w9WgXcQ":                           "/watch/{id}",
		"/n/V1StGXR8_Z5jdHi6B-myT":                     "/n/{id}",
		"/slack/C024BE91L":                             "/slack/{id}",
		"/scan-550e8400-e29b-41d4-a716-446655440000.x": "/scan-{id}.x",
		"/f/order%201234":                              "/f/order%20{n}",
		"/f/gr%C3%B6%C3%9Fe":                           "/f/gr%C3%B6%C3%9Fe",
		"/f/gr%C3%B6%C3%9Fe-17":                        "/f/gr%C3%B6%C3%9Fe-{n}",
		"/f/%1b%5b31m-17":                              "/f/%1B[31m-{n}",
		"/f/100%":                                      "/f/{n}%",
		"/f/%zz":                                       "/f/%zz",
		"/f/%ff%fe":                                    "/f/{id}",
		"/c/3f2a1b9/src/main.go":                       "/c/{id}/src/main.go",
		"/react@18.2.0/umd":                            "/react@{n}.{n}.{n}/umd",
		"/t/2026-W48":                                  "/t/{n}",
		"/d/23.11.26":                                  "/d/{n}",
		"/1.3.6.1.4":                                   "/{n}",
	} {
		if got := Route([]byte(path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// FuzzRoute checks that a route is bounded and has no invalid or control characters.
func FuzzRoute(f *testing.F) {
	f.Add([]byte("/a/%ff/%20%2520/x-550e8400-e29b-41d4-a716-446655440000=%"))
	f.Add([]byte("/\xff@/-_/==/1.2.3.4.5.6-rc"))
	f.Fuzz(func(t *testing.T, path []byte) {
		if got := Route(path); len(got) > maxRoute+len("…") || strings.ToValidUTF8(got, "") != got || strings.ContainsAny(got, "\x00\n\x1b") {
			t.Errorf("%q: %q", path, got)
		}
	})
}

func BenchmarkRoute(b *testing.B) {
	for name, path := range map[string]string{
		"words":   "/api/v1/customers/orders/history",
		"number":  "/orders/1234/items",
		"uuid":    "/users/550e8400-e29b-41d4-a716-446655440000/mail",
		"ids":     "/v1/ch_3MmlLrLkdIwHu7ix/V1StGXR8_Z5jdHi6B-myT/main.3f2a1b9c.js",
		"longest": "/" + strings.Repeat("aB3-", 250),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Route([]byte(path))
			}
		})
	}
}

// TestRoute_Slashes: JSON of PHP, Kong and APISIX escapes slashes, and clients double
// them. Neither makes another route.
func TestRoute_Slashes(t *testing.T) {
	for _, path := range []string{`\/api\/users\/41`, "//api/users//41", "/api///users/41", `\/api\/\/users\/41`} {
		if got, want := Route([]byte(path)), Route([]byte("/api/users/41")); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if Route([]byte("/users/41/")) == Route([]byte("/users/41")) {
		t.Error("a slash at the end is a route of its own, as in Django")
	}
}
