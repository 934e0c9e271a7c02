package incident

import "strings"

// chance judges whether a piece of a path was made by chance, as identifiers
// are, or written by a person. A piece has ASCII letters and digits only. The
// result compares two costs, in quarters of a bit: what it costs to spell the
// piece in words, acronyms and numbers, and what it costs to draw its characters
// from the smallest alphabet that has them all. A high result means chance.
func chance(piece string) int {
	spelled, runs := 0, 0
	var has [4]bool // by class
	hex := true
	last := end
	for i := 0; i < len(piece); {
		r := nextRun(piece[i:])
		spelled += r.cost() + joined[last][r.class]
		for j := range len(r.text) {
			hex = hex && isHex(r.text[j])
		}
		if r.class == title {
			has[upper], has[lower] = true, true
		}
		has[r.class] = true
		last = r.class
		runs++
		i += len(r.text)
	}
	drawn := drawnBase62
	switch {
	case has[upper] && has[lower]:
	case hex && has[number] && runs > 1 && len(piece) >= 7:
		drawn = drawnHex
	default:
		drawn = drawnBase36
	}
	return spelled - drawn*len(piece)
}

// The cost of a character that is drawn from an alphabet, in quarters of a bit.
const (
	drawnHex    = 16
	drawnBase36 = 21
	drawnBase62 = 24
)

// class is the class of a run of characters.
type class int

const (
	lower class = iota
	upper
	number
	title // an upper-case letter and then lower-case ones
	end   // of the piece
)

// joined is the cost of a run that follows another, by their classes.
var joined = [5][4]int{
	lower:  {lower: 0, upper: 16, number: 8, title: 12},
	upper:  {lower: 20, upper: 0, number: 10, title: 8},
	number: {lower: 16, upper: 18, number: 0, title: 18},
	title:  {lower: 0, upper: 14, number: 10, title: 6},
	end:    {lower: 2, upper: 4, number: 8, title: 4},
}

// run is a part of a piece that is of one class.
type run struct {
	text  string
	class class
}

// nextRun returns the run that s begins with: lower-case letters, digits, a
// capitalized word, or upper-case letters without the one that begins a
// capitalized word.
func nextRun(s string) run {
	if strings.HasPrefix(s, "IPv") {
		return run{s[:3], upper}
	}
	k := classOf(s[0])
	n := 1
	for n < len(s) && classOf(s[n]) == k {
		n++
	}
	if k != upper || n == len(s) || classOf(s[n]) != lower {
		return run{s[:n], k}
	}
	if n > 1 {
		return run{s[:n-1], upper}
	}
	for n < len(s) && classOf(s[n]) == lower {
		n++
	}
	return run{s[:n], title}
}

func classOf(c byte) class {
	switch {
	case '0' <= c && c <= '9':
		return number
	case 'A' <= c && c <= 'Z':
		return upper
	}
	return lower
}

// maxAcronym bounds an acronym, in letters.
const maxAcronym = 5

// cost is what it costs to spell the run.
func (r run) cost() int {
	switch {
	case r.class == number:
		return 13*len(r.text) + 4
	case r.class == upper && len(r.text) <= maxAcronym:
		return min(wordCost(r.text), 22*len(r.text)+6)
	}
	return wordCost(r.text)
}

// wordCost is what it costs to spell a word: letter by letter, or as a known
// abbreviation with a word before or behind it.
func wordCost(s string) int {
	cost := letterCost(s)
	if len(s) > 2*maxAbbreviation || cost <= drawnAbbreviation || cost < drawnBase36*len(s) {
		return cost
	}
	s = strings.ToLower(s)
	if abbreviations[s] {
		return drawnAbbreviation
	}
	for n := 3; n <= min(maxAbbreviation, len(s)-2); n++ {
		if abbreviations[s[:n]] {
			cost = min(cost, drawnAbbreviation+letterCost(s[n:]))
		}
		if rest := s[len(s)-n:]; abbreviations[rest] {
			cost = min(cost, drawnAbbreviation+letterCost(s[:len(s)-n]))
		}
	}
	return cost
}

// letterCost is what it costs to spell a word letter by letter.
func letterCost(s string) int {
	cost, from := 0, 0
	for i := range len(s) {
		to := int(s[i]|0x20) - 'a' + 1
		cost += int(bigrams[from*27+to] - '0')
		from = to
	}
	return cost + int(bigrams[from*27]-'0')
}

// bigrams has the cost of each letter after each other, in quarters of a bit and
// as a character from '0'. A row is for the letter before, the first for the
// beginning of a word; a column is for the letter, the first for the word's end.
// They are counted in the word lists of the Debian packages wamerican (55 %),
// wngerman, wfrench and wspanish (15 % each), each word once and without accents.
const bigrams = "" +
	"Z?A>@@CCCCJHDAGG?N@>BFEFUPJ" + // ^
	">TCAAPIDJAOL>B<TEP<?=CINQJL" + // a
	"J;FRO9QLP=OR<PP=TW=DJ?RQWLO" + // b
	"G;VIV>WW8?W@DVU;WRBLABWWWLV" + // c
	"9>ORI7QKP<QUGOO>SVCDQCPOWMU" + // d
	"=EJD@GJHLEQPBC;MHQ9;CKKMJOH" + // e
	"G<OUT;?LR;VR>RQ=RW>GA?VRWJO" + // f
	"9>PWT8SGE@VQCMEBTW?BIAVRWMT" + // g
	"B:MTR8POR<VPCHF=SVBEABUIWGQ" + // h
	"HBI?D=FCTSSNAD9?HMD=?PFVRWG" + // i
	"M7WWW:VWW@WVWWW9UWUUW9VVWWW" + // j
	">>JSP8MNJ<UMAMD?NVC?@CSLWGP" + // k
	"A;LLH:LLR:VM=KL>MUSDDCMSVAR" + // l
	">:AQR9PRS;WTNBM=>VREMBUSWMT" + // m
	"<?NB>>I<N@QIMPEDQPN>;IKPVPL" + // n
	">IGDFMJEMGQL@A9EDP<AB@GGNLO" + // o
	"G;RRT:IUB=WU?RS=AW<EDBWTWMW" + // p
	"NRVWWWWWWQWWSWWVWWWVV0WVWWW" + // q
	"=;HGF:LHN<TJJGF>KREABDLOWJO" + // r
	"6ANAS>ONE@VLIIMDDOR?<ERMWNR" + // s
	";=OMU8PQD;VTIPQ@RW?BDDTNWIK" + // t
	"MBCAE@DELBQN>A;LDS<<?UMSOSM" + // u
	"K;WVU5VVV9WWSWV<VWJPUISWWPW" + // v
	"D9KRJ9PSB:VMGPC=OWECOFWSWOT" + // w
	"<?S?V<PSE;WRQQTC;RTQ<ELQIFS" + // x
	"4AJFHAOLOCUQEEEEDWG@IJULQVQ" + // y
	"8<MPT9RNP=WRION@QSTPF<RGWMF" // z

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// abbreviations are names and short words in paths that letterCost takes for chance.
var abbreviations = func() map[string]bool {
	m := map[string]bool{}
	for _, s := range strings.Fields(`
		aes amd an api app arm as at auth aws bin blob by bz cdn cfg cgi cli cmd cms cn conf cpp cpu crc crt crypt
		css csv ctx cvs dao db dbg dhcp diff dir dll dns do doc docs dsn dto ec elf env epub err etc exe ext fb fs
		ftp fw gb gcp gif git gmbh gnu go gpg gpt gpu gql grpc gui gz gzip hmac href hs html http https hub id ids
		if imap img in inc io ios ip ipv is iso it j jar java jdbc jpeg jpg jpk jq js json jsonp jsonrpc jsx jwk
		jwks jwt kafka kb kdf kv lan lang ldap lib llm lru lz mac mb mc mcp md me mfa mgmt mkv mp mpeg mq mqtt ms
		msg mtls mvc mx my mysql neo net nfc nfs ng nlp no npm nx oauth obj oci odt of oidc on or os otp pbkdf
		pcap pci pdf pg pgp php pid pkcs pkg pki png pos ppt pptx pro proto proxy ps psql pub py qr qt ram rb rdf
		rdp redis ref regex repo req res rest rfc rgb rpc rpm rs rsa rss rtf rtmp rtsp rx sci sdk sec secp sha sip
		sku smb sms smtp snmp soap spa spi sql src ssd ssh ssl sso str sum svc svg svn sw sync sys tab tag tar tcp
		tex tf tgz tk tls tmp to ts tsv tsx ttl tube tv tx txt udp ui uid unix uri url urls usb usr utf util utils
		uuid vat vb vm voip vpc vpn vue wan wav web webp wifi win wsdl wss www xhr xhtml xls xlsx xml xmlrpc xmpp
		xsd xslt xss xz yaml yml you zip zlib zmq`) {
		m[s] = true
	}
	return m
}()

const (
	maxAbbreviation   = 7
	drawnAbbreviation = 24
)
