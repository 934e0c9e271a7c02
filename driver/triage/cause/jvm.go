package cause

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// jvm reads the traces of Java, Kotlin and Scala, what Spring Boot says if it does not
// start, and the JVM's own crashes.
//
//	java.lang.IllegalStateException: closed
//		at com.example.Shop.pay(Shop.java:12)
//	Caused by: java.io.IOException: broken pipe
//		... 12 more
var jvm = &family{
	language: "java",
	anchors: []string{
		"Exception", "Error", "Throwable", "Caused by: ", "APPLICATION FAILED TO START",
		"Java Runtime Environment",
	},
	begin:  jvmBegin,
	follow: jvmFollow,
	parse:  jvmParse,
}

// Kinds of the JVM's causes.
const (
	jvmTrace = iota
	jvmHandler
	jvmSpring
	jvmCrash
)

var jvmCauses = []string{"Caused by: ", "Wrapped by: "}

func jvmBegin(c *candidate) bool {
	switch {
	case c.within(`Exception in thread "`):
		return true
	case bytes.Contains(c.line, []byte("thrown from the UncaughtExceptionHandler")):
		c.kind, c.alone = jvmHandler, true
		return c.within("Exception: ")
	case bytes.HasSuffix(bytes.TrimRight(c.line, " "), []byte("APPLICATION FAILED TO START")):
		c.kind = jvmSpring
		return c.within("APPLICATION FAILED TO START")
	case bytes.Contains(c.line, []byte("A fatal error has been detected by the Java Runtime Environment")):
		c.kind = jvmCrash
		return true
	case atBegin(c, atJVM, jvmIsHead):
		return true
	}
	return c.at(func(rest []byte) bool { return jvmIsHead(string(rest[:min(len(rest), 2*MaxType)])) })
}

// jvmIsHead reports whether a text begins with the qualified name of an exception.
func jvmIsHead(s string) bool {
	for _, p := range jvmCauses {
		s = strings.TrimPrefix(s, p)
	}
	typ, _, ok := splitHeadOf(s)
	if !ok {
		return false
	}
	root, _, dotted := strings.Cut(typ, ".")
	name := typ
	if i := strings.IndexByte(lastPart(typ), '$'); i > 0 { // feign.FeignException$BadGateway
		name = typ[:strings.LastIndexByte(typ, '.')+1+i]
	}
	return dotted && isJavaRoot(root) && (isFailureName(typ) || isFailureName(name))
}

// javaRoots are with what the packages of Java begin.
var javaRoots = []string{
	"java", "javax", "jakarta", "jdk", "sun", "kotlin", "kotlinx", "scala", "groovy", "clojure", "akka", "reactor",
	"feign", "rx", "retrofit2", "okhttp3", "play", "zio", "cats", "android", "junit", "oracle", "freemarker", "redis",
	"com", "org", "net", "io", "dev", "edu", "gov", "app", "cloud", "info", "de", "fr", "uk", "co", "me", "eu", "ch",
	"nl", "it", "es", "pl", "ru", "cn", "jp", "br", "in", "at", "be", "se", "no", "fi", "dk", "cz", "us", "ca", "au",
}

func isJavaRoot(root string) bool { return slices.Contains(javaRoots, root) && root != "redis" }

func jvmFollow(b *block, line []byte) verdict {
	text := bytes.TrimLeft(line, " \t")
	switch b.kind {
	case jvmCrash:
		if len(line) > 0 && line[0] == '#' {
			return belongs
		}
		return over
	case jvmSpring:
		return springFollow(b, line)
	}
	switch {
	case len(text) < len(line) && bytes.HasPrefix(text, atWord),
		bytes.HasPrefix(text, []byte("... ")), bytes.HasPrefix(text, []byte("- locked")):
		b.frames++
		b.state = 1
		return belongs
	case bytes.HasPrefix(text, []byte("Caused by:")), bytes.HasPrefix(text, []byte("Suppressed:")),
		bytes.HasPrefix(text, []byte("Wrapped by:")), bytes.HasPrefix(line, []byte("Dumping heap to")):
		b.state = 0
		return belongs
	case b.state == 0 && !isLog(line) && (b.n == 1 || b.frames > 0 || len(b.pending) > 0):
		return maybe // a message of several lines
	}
	return foreign
}

// springFollow collects the sections Description and Action.
func springFollow(b *block, line []byte) verdict {
	switch {
	case isLog(line):
		return over
	case bytes.HasPrefix(line, []byte("Action:")):
		b.state = 1
	case b.state == 1 && len(line) > 0:
		return last
	}
	return belongs
}

func jvmParse(t *trace) (found, bool) {
	switch t.kind {
	case jvmHandler:
		_, rest, _ := strings.Cut(t.lines[0], "Exception: ")
		typ, message, _ := strings.Cut(rest, " ")
		return found{typ: typ, message: message}, true
	case jvmSpring:
		return springParse(t), true
	case jvmCrash:
		return crashParse(t), true
	}
	var chain []thrown
	var cur *thrown
	add := func(typ, message string) {
		chain = append(chain, thrown{typ: typ, message: message})
		cur = &chain[len(chain)-1]
	}
	wrapped, frames, nested := false, false, false
	for i, line := range t.lines {
		text := strings.TrimLeft(line, " \t")
		switch m := jvmFrame.FindStringSubmatch(line); {
		case i == 0 && m == nil:
			add(jvmHead(line))
			continue
		case m != nil:
			if cur == nil {
				add("", "")
			}
			frames, cur.framed = true, true
			if frame := jvmFrameOf(m[1], m[2]); cur.frame == "" && !nested {
				cur.frame = frame
			}
			continue
		case beginsAny(line, jvmCauses...):
			wrapped = wrapped || strings.HasPrefix(line, jvmCauses[1])
			nested = false
			add(jvmHead(line))
			continue
		case strings.HasPrefix(text, "Suppressed:"), beginsAny(text, jvmCauses...) && text != line:
			nested = true
		}
		if cur != nil && !cur.framed && !strings.HasPrefix(text, "...") && !strings.HasPrefix(line, "Dumping heap") {
			cur.addLine(line)
		}
	}
	if len(chain) == 0 || !frames && t.doubtful() && !isThread(t.lines[0]) {
		return found{}, false
	}
	if wrapped { // logback can print the root first
		return rootOf(chain, 0, 1), true
	}
	return rootOf(chain, len(chain)-1, -1), true
}

func isThread(line string) bool { return strings.HasPrefix(line, `Exception in thread "`) }

var jvmThread = regexp.MustCompile(`^Exception in thread "[^"]*" `)

// jvmHead reads the line with the exception, behind a logger's prefix.
func jvmHead(line string) (typ, message string) {
	line = jvmThread.ReplaceAllString(line, "")
	for _, p := range jvmCauses {
		line = strings.TrimPrefix(line, p)
	}
	if typ, message, ok := headOf(line, jvmIsHead); ok {
		return typ, message
	}
	if typ, message, ok := splitHeadOf(strings.TrimSpace(line)); ok && typ != "" {
		return typ, message
	}
	return "", strings.TrimSpace(line)
}

var (
	jvmLambda = regexp.MustCompile(`(?:lambda\$|\$anonfun\$)(\w+?)\$\d+(?:\$adapted)?$`)
	jvmProxy  = regexp.MustCompile(`\$\$(?:Enhancer|FastClass|SpringCGLIB|Lambda)\w*(?:\$\$\w+)?(?:/0x\w+)?`)
)

// jvmFrameOf describes a frame, "" if it is not the application's.
func jvmFrameOf(module, name string) string {
	if strings.HasPrefix(module, "java.") || strings.HasPrefix(module, "jdk.") || beginsAny(name, jvmVendors...) {
		return ""
	}
	return jvmLambda.ReplaceAllString(jvmProxy.ReplaceAllString(name, ""), "$1")
}

// jvmVendors are packages of the runtime, of frameworks and of libraries.
var jvmVendors = []string{
	"java.", "javax.", "jakarta.", "jdk.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "scala.", "groovy.", "clojure.",
	"org.springframework.", "org.apache.", "org.hibernate.", "org.eclipse.", "io.netty.", "reactor.",
	"com.fasterxml.",
	"io.micrometer.", "org.jboss.", "io.quarkus.", "io.vertx.", "org.glassfish.", "com.zaxxer.", "org.postgresql.",
	"com.mysql.", "org.mariadb.", "oracle.", "com.google.", "io.grpc.", "io.undertow.", "akka.", "org.apache.pekko.",
	"play.", "zio.", "cats.", "org.slf4j.", "ch.qos.", "org.junit.", "okhttp3.", "okio.", "retrofit2.", "feign.",
	"rx.",
	"io.reactivex.", "com.mongodb.", "redis.clients.", "io.lettuce.", "org.redisson.", "org.aspectj.",
	"net.bytebuddy.",
	"net.sf.cglib.", "com.amazonaws.", "software.amazon.", "com.azure.", "org.mybatis.", "org.thymeleaf.", "io.ktor.",
	"io.micronaut.", "io.javalin.", "io.helidon.", "org.http4s.", "fs2.", "com.netflix.", "com.mchange.",
	"com.h2database.",
	"org.h2.", "com.microsoft.", "org.codehaus.", "freemarker.", "io.opentelemetry.", "io.dropwizard.", "org.yaml.",
	"com.typesafe.", "slick.", "liquibase.", "org.flywaydb.", "org.quartz.", "com.rabbitmq.", "io.r2dbc.",
	"io.smallrye.",
	"org.wildfly.", "weblogic.", "org.mockito.", "jdk/", "java/", "com.github.benmanes.", "io.github.resilience4j.",
}

func springParse(t *trace) found {
	f := found{typ: "APPLICATION FAILED TO START"}
	var text []string
	on := false
	for _, line := range t.lines {
		switch {
		case strings.HasPrefix(line, "Description:"):
			on = true
		case strings.HasPrefix(line, "Action:"):
			on = false
		case on:
			text = append(text, line)
		}
	}
	f.message = join(text)
	return f
}

var javaSymbol = regexp.MustCompile(`^#?\s*[jJ]\s+(?:\d+\s+(?:c[12]\s+)?)?([\w.$]+)\.([\w$<>]+)\(`)

// crashParse reads "#  SIGSEGV (0xb) at pc=…" and the problematic frame.
func crashParse(t *trace) found {
	f := found{typ: "JVM crash", message: "A fatal error has been detected by the Java Runtime Environment"}
	for _, line := range t.lines[1:] {
		text := strings.TrimSpace(strings.TrimPrefix(line, "#"))
		if f.typ == "JVM crash" && beginsAny(text, "SIG", "EXCEPTION_", "Internal Error", "Out of Memory Error") {
			f.typ, _, _ = strings.Cut(text, " (")
			f.message = text
		}
		if m := javaSymbol.FindStringSubmatch(line); m != nil && f.frame == "" {
			f.frame = jvmFrameOf("", m[1]+"."+m[2])
		}
	}
	return f
}
