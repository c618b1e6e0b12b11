// OPA as a judge in a loop: a JSON request a line on standard input, a JSON answer a line on standard output.
//
// A request: {"id", "modules": {file: text}, "query", "input", "data", "v0", "strict", "strict_builtin_errors"}.
// With no query the modules are only compiled, as `opa check` does. An answer: {"id", "text"} with the values of the query's
// variables as Rego text (sets stay sets), {"id", "undefined": true}, or {"id", "errors": [{code, message, file, row, col}]}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"
	"github.com/open-policy-agent/opa/v1/util"
)

type request struct {
	ID                  string            `json:"id"`
	Modules             map[string]string `json:"modules"`
	Query               string            `json:"query"`
	Input               *json.RawMessage  `json:"input"`
	Data                json.RawMessage   `json:"data"`
	V0                  bool              `json:"v0"`
	Strict              bool              `json:"strict"`
	StrictBuiltinErrors bool              `json:"strict_builtin_errors"`
	TimeoutMS           int               `json:"timeout_ms"`
}

type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Row     int    `json:"row,omitempty"`
	Col     int    `json:"col,omitempty"`
}

type answer struct {
	ID        string    `json:"id"`
	Text      []string  `json:"text,omitempty"`
	Undefined bool      `json:"undefined,omitempty"`
	Errors    []problem `json:"errors,omitempty"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<28)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		var r request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		text, err := json.Marshal(judge(r))
		if err != nil {
			panic(err)
		}
		out.Write(text)
		out.WriteByte('\n')
		// Callers may wait for an answer before they ask again.
		out.Flush()
	}
}

func problems(err error) []problem {
	var list ast.Errors
	if errors.As(err, &list) {
		var all []problem
		for _, e := range list {
			p := problem{Code: e.Code, Message: e.Message}
			if e.Location != nil {
				p.File, p.Row, p.Col = e.Location.File, e.Location.Row, e.Location.Col
			}
			all = append(all, p)
		}
		return all
	}
	var one *ast.Error
	if errors.As(err, &one) {
		return problems(ast.Errors{one})
	}
	var eval *topdown.Error
	if errors.As(err, &eval) {
		p := problem{Code: eval.Code, Message: eval.Message}
		if eval.Location != nil {
			p.File, p.Row, p.Col = eval.Location.File, eval.Location.Row, eval.Location.Col
		}
		return []problem{p}
	}
	return []problem{{Code: "other", Message: err.Error()}}
}

func judge(r request) (a answer) {
	a.ID = r.ID
	defer func() {
		if p := recover(); p != nil {
			a = answer{ID: r.ID, Errors: []problem{{Code: "panic", Message: fmt.Sprint(p)}}}
		}
	}()
	version := ast.RegoV1
	if r.V0 {
		version = ast.RegoV0
	}
	options := ast.ParserOptions{RegoVersion: version, ProcessAnnotation: true}
	modules := map[string]*ast.Module{}
	files := make([]string, 0, len(r.Modules))
	for file := range r.Modules {
		files = append(files, file)
	}
	sort.Strings(files)
	for _, file := range files {
		m, err := ast.ParseModuleWithOpts(file, r.Modules[file], options)
		if err != nil {
			a.Errors = problems(err)
			return a
		}
		modules[file] = m
	}
	compiler := ast.NewCompiler().WithStrict(r.Strict).WithEnablePrintStatements(false).WithDefaultRegoVersion(version)
	compiler.Compile(modules)
	if compiler.Failed() {
		a.Errors = problems(compiler.Errors)
		return a
	}
	if r.Query == "" {
		return a
	}
	ctx := context.Background()
	data := map[string]any{}
	if len(r.Data) > 0 {
		if err := util.UnmarshalJSON(r.Data, &data); err != nil {
			a.Errors = problems(err)
			return a
		}
	}
	store := inmem.NewFromObject(data)
	txn := storage.NewTransactionOrDie(ctx, store)
	defer store.Abort(ctx, txn)
	body, err := ast.ParseBodyWithOpts(r.Query, options)
	if err != nil {
		a.Errors = problems(err)
		return a
	}
	queries := compiler.QueryCompiler().WithStageAfterID(ast.StageResolveRefs, ast.QueryCompilerStageDefinition{
		Name: "Capture",
		Stage: func(_ ast.QueryCompiler, query ast.Body) (ast.Body, error) {
			return capture(compiler, query), nil
		},
	})
	compiled, err := queries.Compile(body)
	if err != nil {
		a.Errors = problems(err)
		return a
	}
	timeout := time.Duration(r.TimeoutMS) * time.Millisecond
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(timeout, cancel.Cancel)
	defer timer.Stop()
	query := topdown.NewQuery(compiled).WithCompiler(compiler).WithStore(store).WithTransaction(txn).
		WithStrictBuiltinErrors(r.StrictBuiltinErrors).WithCancel(cancel).WithTime(time.Unix(1700000000, 0))
	if r.Input != nil {
		var input any
		if err := util.UnmarshalJSON(*r.Input, &input); err != nil {
			a.Errors = problems(err)
			return a
		}
		value, err := ast.InterfaceToValue(input)
		if err != nil {
			a.Errors = problems(err)
			return a
		}
		query = query.WithInput(ast.NewTerm(value))
	}
	results, err := query.Run(ctx)
	if err != nil {
		a.Errors = problems(err)
		return a
	}
	for _, result := range results {
		var parts []string
		for name, term := range result {
			if written, ok := queries.RewrittenVars()[name]; ok {
				name = written
			}
			if !strings.HasPrefix(string(name), ast.WildcardPrefix) && !name.IsGenerated() {
				parts = append(parts, string(name)+" = "+term.Value.String())
			}
		}
		sort.Strings(parts)
		a.Text = append(a.Text, strings.Join(parts, "; "))
	}
	sort.Strings(a.Text)
	a.Undefined = len(results) == 0
	return a
}

// capture does what `opa eval` does to a query before it is compiled: each expression that has a value gets a variable
// for it, which the type checker sees, and must hold.
func capture(compiler *ast.Compiler, query ast.Body) ast.Body {
	check := len(query) > 1 || iterates(query)
	vars := 0
	for _, expr := range query {
		if expr.Negated || expr.IsAssignment() || expr.IsEquality() {
			continue
		}
		value := ast.VarTerm(fmt.Sprintf("%sterm%d", ast.WildcardPrefix, vars+1))
		switch terms := expr.Terms.(type) {
		case *ast.Term:
			expr.Terms = ast.Equality.Expr(terms, value).Terms
		case []*ast.Term:
			declared := compiler.TypeEnv.GetByValue(terms[0].Value)
			if types.Void(declared) || types.Arity(declared) != len(terms)-1 {
				continue
			}
			expr.Terms = append(terms, value)
		default:
			continue
		}
		vars++
		if check {
			holds := expr.Copy()
			holds.Terms, holds.Generated, holds.With = value, true, nil
			query.Append(holds)
		}
	}
	return query
}

// iterates: a query may have several results.
func iterates(query ast.Body) bool {
	found := false
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Term:
			return ast.IsComprehension(x.Value)
		case ast.Ref:
			if b := ast.BuiltinMap[x.String()]; b != nil && b.Relation {
				found = true
			}
			for _, part := range x[1:] {
				if _, ok := part.Value.(ast.Var); ok {
					found = true
				}
			}
		}
		return found
	}).Walk(query)
	return found
}
