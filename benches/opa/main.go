// Measures OPA's own evaluation: reads cases (JSON lines) from standard input, prints for each its name, the nanoseconds
// of one evaluation and the answer, separated by tabs.
//
// What is measured is only evaluation: the query is prepared once, input is an ast.Value already, and the store holds
// ast.Values, so that OPA converts nothing. Of several rounds the fastest counts.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

type testCase struct {
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Source  string          `json:"source"`
	Query   string          `json:"query"`
	Input   json.RawMessage `json:"input"`
	Data    json.RawMessage `json:"data"`
}

func main() {
	runtime.GOMAXPROCS(1)
	budget := 60 * time.Millisecond
	if len(os.Args) > 1 {
		ms, err := strconv.Atoi(os.Args[1])
		check("budget", err)
		budget = time.Duration(ms) * time.Millisecond
	}
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	decoder := json.NewDecoder(lines)
	for decoder.More() {
		var c testCase
		check("case", decoder.Decode(&c))
		measure(&c, budget)
	}
}

func measure(c *testCase, budget time.Duration) {
	ctx := context.Background()
	version := ast.RegoV1
	if c.Version == "v0" {
		version = ast.RegoV0
	}
	var data map[string]any
	numbers := json.NewDecoder(bytes.NewReader(c.Data))
	numbers.UseNumber()
	check(c.Name, numbers.Decode(&data))
	store := inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true))
	input, err := ast.ValueFromReader(bytes.NewReader(c.Input))
	check(c.Name, err)
	query, err := rego.New(
		rego.Query(c.Query),
		rego.Module(c.Name+".rego", c.Source),
		rego.SetRegoVersion(version),
		rego.Store(store),
	).PrepareForEval(ctx)
	check(c.Name, err)
	once := func() rego.ResultSet {
		results, err := query.Eval(ctx, rego.EvalParsedInput(input))
		check(c.Name, err)
		return results
	}
	first := time.Now()
	results := once()
	// Within a round nobody asks for the time, as in the other programs.
	n := min(max(budget/8/max(time.Since(first), 1), 1), 20)
	answer := []byte("undefined")
	if len(results) > 0 {
		answer, err = json.Marshal(results[0].Expressions[0].Value)
		check(c.Name, err)
	}
	best := time.Duration(1 << 62)
	for begin := time.Now(); time.Since(begin) < budget; {
		round := time.Now()
		for range n {
			once()
		}
		if one := time.Since(round) / n; one < best {
			best = one
		}
	}
	fmt.Printf("%s\t%d\t%s\n", c.Name, best.Nanoseconds(), answer)
}

func check(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}
