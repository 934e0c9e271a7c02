package options

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// The bounds of a tag. Its template comes from whoever starts a container, so it
// must not be a program: {{range 20000000}} of ten bytes makes 200 MB.
const (
	maxTag   = 1 << 10 // bytes of the template
	tagUsage = "write text and {{.Name}}, {{.ID}}, {{.FullID}}, {{.ImageName}}, {{.ImageID}}, {{.ImageFullID}}, " +
		"{{.DaemonName}}, " +
		`{{index .ContainerLabels "name"}}, and the functions lower, upper, slice`
)

// tagFields are what a tag's template may name.
var tagFields = []string{
	"Name", "ID", "FullID", "ImageName", "ImageID", "ImageFullID", "DaemonName", "ContainerLabels",
	"ContainerID", "ContainerName", "ContainerImageID", "ContainerImageName",
}

// tagFuncs are the functions that a tag's template may call. None makes its result
// much longer than what it is given, and none builds a result from a number.
var tagFuncs = []string{"index", "slice", "lower", "upper", "and", "or", "not", "eq", "ne"}

// render makes an app's name of a tag.
func (i Info) render(tag string) (string, error) {
	if len(tag) > maxTag {
		return "", fmt.Errorf("option tag: the template has %d bytes; allowed are %d", len(tag), maxTag)
	}
	t, err := template.New("tag").Option("missingkey=error").Funcs(template.FuncMap{
		"lower": strings.ToLower, "upper": strings.ToUpper,
	}).Parse(tag)
	if err == nil {
		err = checkTag(t)
	}
	if err != nil {
		return "", fmt.Errorf("option tag=%s: %w; %s", tag, err, tagUsage)
	}
	var b tagWriter
	err = t.Execute(&b, i.clipped())
	if errors.Is(err, errLongTag) {
		return "", fmt.Errorf("option tag=%s: %w", tag, errLongTag)
	}
	if err != nil {
		return "", fmt.Errorf("option tag=%s: %w; %s", tag, err, tagUsage)
	}
	return strings.ToValidUTF8(b.String(), ""), nil
}

// clipped is the description with bounded names: functions work on these.
func (i Info) clipped() Info {
	for _, s := range []*string{
		&i.ContainerID, &i.ContainerName, &i.ContainerImageID, &i.ContainerImageName, &i.DaemonName,
	} {
		*s = clip(*s)
	}
	labels := make(map[string]string, len(i.ContainerLabels))
	for name, value := range i.ContainerLabels {
		labels[name] = clip(value)
	}
	i.ContainerLabels = labels
	i.ContainerEnv, i.Config = nil, nil // {{.}} writes all there is
	return i
}

// errLongTag says that a tag's result is too long.
var errLongTag = fmt.Errorf("the app's name has more than %d bytes; name fewer or shorter fields", maxName)

// tagWriter takes a tag's result up to its bound.
type tagWriter struct{ strings.Builder }

// Write implements io.Writer.
func (w *tagWriter) Write(p []byte) (int, error) {
	if w.Len()+len(p) > maxName {
		return 0, errLongTag
	}
	return w.Builder.Write(p)
}

// checkTag refuses a template that does more than name fields: loops, variables,
// other templates, functions that are not in tagFuncs.
func checkTag(t *template.Template) error {
	if len(t.Templates()) > 1 {
		return errors.New("a tag defines no templates")
	}
	if t.Tree == nil {
		return nil
	}
	return checkNode(t.Root)
}

func checkNode(n parse.Node) error {
	switch n := n.(type) {
	case *parse.TextNode, *parse.DotNode, *parse.StringNode, *parse.NumberNode, *parse.BoolNode, *parse.NilNode,
		*parse.CommentNode:
		return nil
	case *parse.ListNode:
		if n == nil {
			return nil // of an if without an else
		}
		return checkAll(n.Nodes)
	case *parse.ActionNode:
		return checkNode(n.Pipe)
	case *parse.IfNode:
		return checkAll([]parse.Node{n.Pipe, n.List, n.ElseList})
	case *parse.PipeNode:
		if len(n.Decl) > 0 {
			return errors.New("a tag sets no variables")
		}
		for _, c := range n.Cmds {
			if err := checkAll(c.Args); err != nil {
				return err
			}
		}
		return nil
	case *parse.FieldNode:
		if len(n.Ident) == 0 || !slices.Contains(tagFields, n.Ident[0]) {
			return fmt.Errorf("%s is not a field of a tag", n)
		}
		return nil
	case *parse.IdentifierNode:
		if !slices.Contains(tagFuncs, n.Ident) {
			return fmt.Errorf("a tag does not call %s", n.Ident)
		}
		return nil
	}
	return fmt.Errorf("a tag cannot do %.60s", n)
}

func checkAll(nodes []parse.Node) error {
	for _, n := range nodes {
		if err := checkNode(n); err != nil {
			return err
		}
	}
	return nil
}
