// Golden answers of Gatekeeper for the cases in ../cases: every case of a family file is judged by Gatekeeper's own
// packages (the ones the gator binary is made of), and what it says is written beside the family as <family>.golden.json.
//
//	go run . ../cases/*.yaml
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/open-policy-agent/frameworks/constraint/pkg/apis"
	"github.com/open-policy-agent/frameworks/constraint/pkg/client"
	"github.com/open-policy-agent/frameworks/constraint/pkg/client/drivers/rego"
	"github.com/open-policy-agent/frameworks/constraint/pkg/client/reviews"
	"github.com/open-policy-agent/frameworks/constraint/pkg/types"
	"github.com/open-policy-agent/gatekeeper/v3/pkg/gator/reader"
	"github.com/open-policy-agent/gatekeeper/v3/pkg/gator/test"
	mutationtypes "github.com/open-policy-agent/gatekeeper/v3/pkg/mutation/types"
	"github.com/open-policy-agent/gatekeeper/v3/pkg/target"
	"github.com/open-policy-agent/gatekeeper/v3/pkg/util"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

type family struct {
	Shared map[string]any `json:"shared"`
	Cases  []caseOf       `json:"cases"`
}

// caseOf is one case; see ../README.md for what the fields mean.
type caseOf struct {
	Name      string           `json:"name"`
	Inputs    []map[string]any `json:"inputs"`
	Inventory []map[string]any `json:"inventory"`
	Request   map[string]any   `json:"request"`
	Object    map[string]any   `json:"object"`
	Namespace map[string]any   `json:"namespace"`
	Point     string           `json:"point"`
	Source    *string          `json:"source"`
}

type result struct {
	Kind    string         `json:"kind"`
	Name    string         `json:"name"`
	Action  string         `json:"action"`
	Scoped  []string       `json:"scoped,omitempty"`
	Message string         `json:"message"`
	Details map[string]any `json:"details,omitempty"`
	Object  string         `json:"object,omitempty"`
}

type golden struct {
	Error   string   `json:"error,omitempty"`
	Results []result `json:"results"`
}

var scheme = runtime.NewScheme()

func main() {
	if err := apis.AddToScheme(scheme); err != nil {
		panic(err)
	}
	for _, path := range os.Args[1:] {
		if err := one(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

func one(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var f family
	asJSON, err := yaml.YAMLToJSON(raw)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.UseNumber()
	if err := decoder.Decode(&f); err != nil {
		return err
	}
	out := map[string]golden{}
	for _, c := range f.Cases {
		if _, twice := out[c.Name]; twice {
			return fmt.Errorf("case %q is there twice", c.Name)
		}
		c.Inputs = resolve(f.Shared, c.Inputs)
		c.Inventory = resolve(f.Shared, c.Inventory)
		if s, ok := c.Object["$ref"].(string); ok {
			c.Object = f.Shared[s].(map[string]any)
		}
		g := judge(c)
		g.Error = steady(g.Error)
		out[c.Name] = g
	}
	text, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(strings.TrimSuffix(path, ".yaml")+".golden.json", append(text, '\n'), 0o644)
}

// steady puts errors about recursion, which OPA tells in an order that varies from run to run, in the order of their lines.
func steady(text string) string {
	lines := strings.Split(text, "\n")
	first := 1
	for i := 1; i <= len(lines); i++ {
		if i < len(lines) && strings.Contains(lines[i], ": rego_recursion_error: ") {
			continue
		}
		if first < i {
			sort.Strings(lines[first:i])
		}
		first = i + 1
	}
	return inOrder(strings.Join(lines, "\n"))
}

// inOrder does the same for what a schema finds, which follows Go's order of map keys.
func inOrder(text string) string {
	const before, between = "schema validation failed: [[]", ", []"
	at := strings.Index(text, before)
	if at < 0 || !strings.HasSuffix(text, "]") {
		return text
	}
	at += len(before)
	faults := strings.Split(text[at:len(text)-1], between)
	sort.Strings(faults)
	return text[:at] + strings.Join(faults, between) + "]"
}

func resolve(shared map[string]any, list []map[string]any) []map[string]any {
	var out []map[string]any
	for _, o := range list {
		if s, ok := o["$ref"].(string); ok {
			one, found := shared[s].(map[string]any)
			if !found {
				panic("no shared object " + s)
			}
			o = normal(one)
		}
		out = append(out, o)
	}
	return out
}

// normal gives numbers the types Kubernetes' own readers give them (int64 where whole).
func normal(o map[string]any) map[string]any {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	var out map[string]any
	if err := unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

func objects(list []map[string]any) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range list {
		out = append(out, &unstructured.Unstructured{Object: normal(o)})
	}
	return out
}

func judge(c caseOf) (g golden) {
	defer func() {
		if r := recover(); r != nil {
			g = golden{Error: fmt.Sprintf("panic: %v", r)}
		}
	}()
	if c.Request == nil && c.Object == nil {
		responses, err := test.Test(objects(c.Inputs))
		if err != nil {
			return golden{Error: err.Error()}
		}
		g.Results = []result{}
		for _, r := range responses.Results() {
			one := of(&r.Result)
			one.Object = r.ViolatingObject.GetKind() + "/" + r.ViolatingObject.GetNamespace() + "/" + r.ViolatingObject.GetName()
			g.Results = append(g.Results, one)
		}
		sorted(g.Results)
		return g
	}
	responses, err := review(c)
	if err != nil {
		return golden{Error: err.Error()}
	}
	g.Results = []result{}
	for _, r := range responses.Results() {
		g.Results = append(g.Results, of(r))
	}
	sorted(g.Results)
	return g
}

func review(c caseOf) (*types.Responses, error) {
	ctx := context.Background()
	driver, err := rego.New()
	if err != nil {
		return nil, err
	}
	point := c.Point
	if point == "" {
		point = util.WebhookEnforcementPoint
	}
	cl, err := client.NewClient(client.Targets(&target.K8sValidationTarget{}), client.Driver(driver), client.EnforcementPoints(point))
	if err != nil {
		return nil, err
	}
	for _, o := range objects(c.Inputs) {
		if reader.IsTemplate(o) {
			t, err := reader.ToTemplate(scheme, o)
			if err != nil {
				return nil, err
			}
			if _, err := cl.AddTemplate(ctx, t); err != nil {
				return nil, err
			}
		}
	}
	for _, o := range objects(c.Inputs) {
		if reader.IsConstraint(o) {
			if _, err := cl.AddConstraint(ctx, o); err != nil {
				return nil, err
			}
		}
	}
	for _, o := range objects(c.Inventory) {
		if _, err := cl.AddData(ctx, o); err != nil {
			return nil, err
		}
	}
	var ns *corev1.Namespace
	if c.Namespace != nil {
		ns = &corev1.Namespace{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(normal(c.Namespace), ns); err != nil {
			return nil, err
		}
	}
	source := mutationtypes.SourceTypeOriginal
	if c.Source != nil {
		source = mutationtypes.SourceType(*c.Source)
	}
	if c.Object != nil {
		return cl.Review(ctx, target.AugmentedUnstructured{Object: unstructured.Unstructured{Object: normal(c.Object)}, Namespace: ns, Source: source}, reviews.EnforcementPoint(point))
	}
	raw, err := json.Marshal(c.Request)
	if err != nil {
		return nil, err
	}
	req := &admissionv1.AdmissionRequest{}
	if err := json.Unmarshal(raw, req); err != nil {
		return nil, err
	}
	return cl.Review(ctx, &target.AugmentedReview{AdmissionRequest: req, Namespace: ns, Source: source, IsAdmission: true}, reviews.EnforcementPoint(point))
}

func of(r *types.Result) result {
	one := result{
		Kind:    r.Constraint.GetKind(),
		Name:    r.Constraint.GetName(),
		Action:  r.EnforcementAction,
		Scoped:  append([]string(nil), r.ScopedEnforcementActions...),
		Message: r.Msg,
	}
	sort.Strings(one.Scoped)
	if d, ok := r.Metadata["details"].(map[string]any); ok && len(d) > 0 {
		one.Details = d
	}
	return one
}

func sorted(list []result) {
	key := func(r result) string {
		return strings.Join([]string{r.Object, r.Action, r.Message, r.Kind, r.Name}, "\x00")
	}
	sort.SliceStable(list, func(i, j int) bool { return key(list[i]) < key(list[j]) })
}

func unmarshal(raw []byte, into *map[string]any) error {
	var whole map[string]any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&whole); err != nil {
		return err
	}
	*into = fix(whole).(map[string]any)
	return nil
}

func fix(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k := range t {
			t[k] = fix(t[k])
		}
		return t
	case []any:
		for i := range t {
			t[i] = fix(t[i])
		}
		return t
	case json.Number:
		if i, err := t.Int64(); err == nil {
			return i
		}
		f, _ := t.Float64()
		return f
	}
	return v
}
