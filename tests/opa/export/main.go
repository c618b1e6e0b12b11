// Writes OPA's compliance cases, v0 and v1, as JSON lines: one case a line, with what OPA's parser makes of its modules.
//
//	go run . > ../../../target/opa-cases.jsonl
//
// The cases are those of the OPA module that go.mod pins; none of them is kept in this repository.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/test/cases"
)

type line struct {
	Version string `json:"version"`
	Folder  string `json:"folder"`
	cases.TestCase
	// Printed has OPA's text of each parsed module, or "row: message" of each error.
	Printed []string `json:"printed"`
}

func main() {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/opa").Output()
	if err != nil {
		fail(err)
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, parser := range []ast.RegoVersion{ast.RegoV0, ast.RegoV1} {
		version := parser.String()
		root := filepath.Join(strings.TrimSpace(string(dir)), "v1", "test", "cases", "testdata", version)
		set, err := cases.Load(root)
		if err != nil {
			fail(err)
		}
		for _, c := range set.Sorted().Cases {
			l := line{Version: version, Folder: filepath.Base(filepath.Dir(c.Filename)), TestCase: c}
			for i, text := range c.Modules {
				l.Printed = append(l.Printed, printed(fmt.Sprintf("test-%d.rego", i), text, parser))
			}
			if err := enc.Encode(l); err != nil {
				fail(err)
			}
		}
	}
}

func printed(file, text string, version ast.RegoVersion) string {
	module, err := ast.ParseModuleWithOpts(file, text, ast.ParserOptions{RegoVersion: version})
	if err == nil {
		return module.String()
	}
	if errs, ok := err.(ast.Errors); ok {
		var lines []string
		for _, e := range errs {
			lines = append(lines, fmt.Sprintf("%d: %s", e.Location.Row, e.Message))
		}
		return strings.Join(lines, "\n")
	}
	if e, ok := err.(*ast.Error); ok {
		return fmt.Sprintf("%d: %s", e.Location.Row, e.Message)
	}
	return err.Error()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "export:", err)
	os.Exit(1)
}
