#!/usr/bin/env python3
"""Writes crates/rego/tests/semantics/*.jsonl: programs on what OPA's own suite does not look at, with OPA's answers.

    tests/opa/semantics.py PATH-OF-JUDGE      (the program of tests/opa/judge)
"""
import itertools, json, os, subprocess, sys

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
families = {}


def add(family, name, module, query="x = data.t.p", v0=False, **more):
    head = "package t\n" if v0 else "package t\nimport rego.v1\n"
    families.setdefault(family, []).append({"id": f"{family}/{name}", "modules": {"t.rego": head + module}, "query": query, "v0": v0, **more})


INPUTS = [{}, {"x": False}, {"x": None}, {"x": 1}, {"x": "a"}, {"x": []}, {"x": ["a", 1]}, {"x": {"a": 1}, "k": "x"}]
HELP = """
q if input.x
q2 := input.x
s contains v if some v in input.x
f(a) if a
f(a) if a == 1
g(a) := a
h(a, b) := a if b
default d(_) := "default"
d(a) := a if is_string(a)
"""
CONDITIONS = [
    "input.x", "input.x == 1", "input.x != 1", "input.x > 0", "input.x = 1", "input.x.y", "input.x[0]", 'input.x["a"]', "input[input.k]",
    "f(input.x)", "g(input.x)", "h(1, input.x)", "d(input.x)", "f(input.x) == true", "g(input.x) == 1", "g(input.x) = 1", 'startswith(input.x, "a")', "count(input.x) == 0",
    "count(input.x) > 1", "[input.x] == [1]", "{input.x} == {1}", '{"a": input.x} == {"a": 1}', '"a" in input.x', "1 in input.x", 'input.x in ["a", 1]',
    "q", "q2", "q2 == 1", "data.t.nope", "data.t.q2 == 1", 's["a"]', "s == {1}", "count(s) == 0", "{1 | input.x} == {1}", "[1 | input.x] != []",
    "count({1 | input.x}) == 1", "every v in input.x { v }", "every v in input.x { v == 1 }", "is_null(input.x)", "is_string(input.x)", "to_number(input.x) == 1",
    "(input.x == 1) == true", "(input.x == 1) == false", "object.get(input, \"x\", 0) == 1", "type_name(input.x) == \"null\"", "input.x with input.x as 1", "input.x == 1 with input as {\"x\": 1}",
]
for i, (c, given) in enumerate(itertools.product(CONDITIONS, INPUTS)):
    if "every" not in c:
        add("under-not", f"{i:04}-not", HELP + f"p if not {c}\n", "x = data.t.p", input=given)
    add("conditions", f"{i:04}", HELP + f"p if {c}\n", "x = data.t.p", input=given)
for i, (c, given) in enumerate(itertools.product(CONDITIONS, INPUTS)):
    if "every" not in c and "with" not in c and " = " not in c:
        add("captured", f"{i:04}", HELP + f"p := y if y := {'(' + c + ')' if ' ' in c else c}\n", "x = data.t.p", input=given)

POSITIONS = {
    "array": "p := [1, E]", "object-value": 'p := {"a": E}', "object-key": "p := {E: 1}", "set": "p := {1, E}", "head": "p := E", "head-body": "p := E if true",
    "argument": "p := g(E)", "built-in-argument": "p := type_name(E)", "comprehension-head": "p := [E | true]", "comprehension-body": "p := [1 | E]", "set-comprehension": "p := {E | true}",
    "object-comprehension": 'p := {"k": E | true}', "with-value": "p := input.y with input.y as E", "with-data": "p := data.z with data.z as E", "else-value": "p := 1 if { false } else := E",
    "else-body": "p := 1 if { E } else := 2", "default": "default p := 0\np := 1 if E", "some-in": "p := y if some y in E", "every": "p if every y in E { y }", "member": "p := y if y := 1 in E",
    "equal": "p if E == E", "unify": "p := y if y = E", "not-equal": "p if E != 1", "bracket": "p := [10, 20][E]", "head-of-ref": "p := y if y := E.a", "partial-set": "p contains E",
    "partial-object": 'p["k"] := E', "partial-key": "p[E] := 1", "template": 'p := $"<{E}>"', "sprintf": 'p := sprintf("%v", [E])', "and-then": "p := 2 if { E; true }", "walk": "p := [v | walk(E, [_, v])]",
    "array-pattern": "p := y if [y] = [E]", "function-value": "k := E\np := k", "negated": "p if not E", "double": "p := [E, E]", "compare-sets": "p if {E} == {E}", "concat": 'p := concat(",", ["a", E])',
}
for name, text in POSITIONS.items():
    for value in ["input.no", "false", "input.f", "null", "input.n", "1", 'to_number("x")', "input.list[3]", "input.list[0]", "data.none", "(1 == 2)"]:
        add("positions", f"{name}/{value}", "g(a) := a\n" + text.replace("E", value) + "\n", input={"f": False, "n": None, "list": ["a", False], "y": 5})

CHAINED = {
    "function": "f(x) = 1 { x == 1 } { x == 2 }\np = [f(1), f(2)]", "function-neither": "f(x) { x == 1 } { x == 2 }\np = [f(1), f(3)]", "function-true": "f(x) { x == 1 } { x == 2 }\np { f(2) }",
    "set": 'p[x] { x = 1 } { x = 2 }', "set-three": "p[x] { x = 1 } { x = 2 } { x = input.y }", "object": 'p[k] = v { k = "a"; v = 1 } { k = "b"; v = 2 }', "object-conflict": 'p[k] = v { k = "a"; v = 1 } { k = "a"; v = 2 }',
    "complete": "p = 1 { false } { true }", "complete-conflict": "p = x { x = 1 } { x = 2 }", "complete-same": "p = x { x = 1 } { x = 1 }", "boolean": "p { false } { input.y }", "undefined-first": "p { input.no } { true }",
    "with-not": "p { not input.no } { input.no }", "shared-names": "p = x { x = input.y } { y = 2; x = y + 5 - 2 }", "newline": "p {\n false\n}\n{\n true\n}",
}
for name, text in CHAINED.items():
    add("chained-bodies", name, text + "\n", v0=True, input={"y": 5})
    add("chained-bodies", name + "-undefined", text + "\n", v0=True, input={})

for i, (fmt, args) in enumerate(itertools.product(
    ["%v", "%d", "%s", "%q", "%t", "%x", "%X", "%o", "%b", "%e", "%f", "%g", "%c", "%U", "%T", "%5d", "%-5d|", "%05d", "%+d", "%5.2f", "%.3s", "%10s|", "%-10s|", "%%", "%z", "%!", "%", "%#v", "% d", "%[1]v", "%[2]v"],
    ["[1]", "[-5]", '["a"]', "[true]", "[null]", "[1.5]", "[[1, \"a\"]]", '[{"k": {2, 1}}]', "[set()]", "[]", "[1, 2]", "[input.no]", "[12345678901234567890]", "[1e3]", "[100.0]"],
)):
    add("sprintf", f"{i:04}", f"p := sprintf({json.dumps(fmt)}, {args})\n", input={})
for i, args in enumerate(["[1, 2]", "[]", "{}", '"a"', "[[], {}]", '[{"b": 1, "a": [null, true]}]', "[{1, {2}}]"]):
    for fmt in ["%v %v", "a%vb%vc", "%s and %d", "no verbs", "%v %v %v"]:
        add("sprintf", f"several-{i}-{fmt}", f"p := sprintf({json.dumps(fmt)}, {args})\n", input={})

for name, text in {
    "ref-then-paren": "p if {\n\tinput.x\n\t(1 == 1)\n}", "number-then-paren": "p if {\n\tx := 1\n\t(x + 1) == 2\n}", "call-then-paren": "p if {\n\tcount([1])\n\t(1 == 1)\n}", "var-then-bracket": "p if {\n\tx := [1]\n\t[1] == x\n}",
    "ref-then-bracket": "p if {\n\tinput.x\n\t[1][0] == 1\n}", "space-before-paren": "p if count ([1]) == 1", "space-before-bracket": "p if input.x [0]", "operator-on-next-line": "p := y if {\n\ty := 1\n\t+ 2\n}", "minus-on-next-line": "p := y if {\n\ty := 3\n\t- 2\n}",
    "brace-on-next-line": "p if\n{\n\ttrue\n}", "else-on-next-line": "p := 1 if { false }\nelse := 2 if { true }", "comma-newline": "p := [1,\n2,\n]", "dot-newline": "p := input\n.x", "semicolons": "p := y if { x := 1; y := x + 1; }", "comment-between": "p if {\n\tinput.x # (\n\t(true)\n}",
}.items():
    add("newlines", name, text + "\n", input={"x": [7]})

DOC = '{"a": [1, {"b": 2}], "c": {3, {"d": 4}}}'
for name, text in {
    "value": f"p := y if walk({DOC}, y)", "pairs": f"p := [[a, b] | walk({DOC}, [a, b])]", "path-bound": f'p := y if walk({DOC}, [["a", 0], y])', "value-bound": f"p := y if walk({DOC}, [y, 2])", "wildcard-path": f"p := [b | walk({DOC}, [_, b])]",
    "pattern": f'p := [z | walk({DOC}, [["a", z], _])]', "count": f"p := count([1 | walk({DOC}, _)])", "scalar": "p := [x | walk(1, x)]", "undefined": "p := [x | walk(input.no, x)]", "not": f"p if not walk({DOC}, [[\"zz\"], _])", "assign": f"p := [a, b] if {{ [a, b] := walk({DOC}); a == [] }}", "captured": f"p := count(y) if y := walk({DOC})", "as-argument": f"p := count(walk({DOC}))", "empty": "p := [x | walk({}, x)]", "nested-set": "p := [x | walk({{1}}, x)]",
}.items():
    add("walk", name, text + "\n", input={})

NUMBERS = ["0", "1", "-1", "1.5", "0.1", "0.2", "1e2", "1e-7", "100", "1000000", "1234567.5", "9007199254740993", "18446744073709551617", "1e20", "1e21", "3.0", "-0.0", "1e100", "0.1e1", "2.50"]
for i, (a, b) in enumerate(itertools.product(NUMBERS, ["1", "3", "0.1", "-2", "1e2", "18446744073709551617", "0"])):
    add("numbers", f"{i:04}", f"p := [{a} + {b}, {a} - {b}, {a} * {b}, [x | x := {a} / {b}], [x | x := {a} % {b}], {a} < {b}, {a} == {b}, {{{a}, {b}}}]\n")
for i, a in enumerate(NUMBERS):
    add("numbers", f"one-{i}", f'p := [{a}, json.marshal({a}), sprintf("%v %d", [{a}, {a}]), format_int({a}, 10), abs({a}), round({a}), ceil({a}), floor({a}), to_number(json.marshal({a})), sum([{a}]), max([{a}, 0]), type_name({a})]\n')
    add("numbers", f"input-{i}", 'p := [input.v, input.v + 0, json.marshal(input.v), {input.v}, sort([input.v, 1, 0.5])]\n', input_text='{"v": ' + a + "}")

for name, v in {"set": "{3, 1, 2}", "empty": "set()", "nested": "{{2, 1}, {1}}", "set-in-object": '{"a": {"y", "x"}}', "mixed": '{1, "a", null, true, [1], {"k": 1}}', "object-keys": "{1: \"a\", \"1\": \"b\"}", "long": "{x | some x in numbers.range(1, 12)}", "strings": '{"b", "a\\"q", "é", "\\n"}', "decimals": "{1.50, 1.5, 2}", "null": "[null]"}.items():
    add("text", name, f'v := {v}\np := [sprintf("%v", [v]), sprintf("%s", [v]), sprintf("%q", [v]), json.marshal(v), concat("|", [sprintf("%v", [v]), "end"]), $"<{{v}}>", count(v)]\n')

for i, (pattern, text) in enumerate(itertools.product(
    [r"^\d+$", r"^\w+$", r"^\s+$", r"\bé", r"^[[:alpha:]]+$", r"^\pL+$", r"^\p{Greek}+$", r"^[\d\-.]+$", r"(?i)^straße$", r"^a{2,3}$", r"^a{,2}$", r"^.$", r"(?s)^.$", r"^\Qa.b\E$", r"^[^\W]+$", r"^\x41$", r"^\x{e9}$", r"^[a&&b]+$", r"^[[]$", r"^\C$", r"^(?P<n>a)$", r"^a|b$", r"^\D\S$", r"^[\w.-]{1,63}$", r"^$", r"a++", r"(", r"^\z", r"\A1"],
    ["1", "٣", "é", "a", " ", " ", "ab", "aa", "a.b", "STRASSE", "A", "λ", "&", "[", "\n", ""],
)):
    add("re2", f"{i:04}", "p := [y | y := regex.match(input.p, input.t)]\nq := regex.is_valid(input.p)\n", "x = [data.t.p, data.t.q]", input={"p": pattern, "t": text})

GLOBS = ["*", "a*", "**", "a.*", "a.**", "?", "[a-c]", "[!a]", "{a,b}", "{a,b}*", "a\\*", "*.b", "a?b", "", "[", "{a"]
for i, (g, d, t) in enumerate(itertools.product(GLOBS, ["[]", "null", '["."]', '[":", "/"]'], ["a", "a.b", "a/b", "ab", "", "*", "b", "a:b", "a.b.c"])):
    add("glob", f"{i:04}", f"p := [y | y := glob.match({json.dumps(g)}, {d}, {json.dumps(t)})]\n")


def main():
    judge = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    total = 0
    for family, cases in families.items():
        seen = set()
        with open(f"{root}/crates/rego/tests/semantics/{family}.jsonl", "w") as out:
            for case in cases:
                assert case["id"] not in seen, case["id"]
                seen.add(case["id"])
                line = json.dumps(case, ensure_ascii=False)
                if "input_text" in case:
                    # The text of a number must reach the judge as it stands.
                    text = case.pop("input_text")
                    line = json.dumps(case, ensure_ascii=False)[:-1] + f', "input": {text}}}'
                judge.stdin.write(line + "\n")
                judge.stdin.flush()
                answer = json.loads(judge.stdout.readline())
                answer.pop("id")
                for e in answer.get("errors", []):
                    e.pop("file", None)
                out.write(line[:-1] + ', "answer": ' + json.dumps(answer, ensure_ascii=False) + "}\n")
                total += 1
        print(family, len(cases))
    print(total)


main()
