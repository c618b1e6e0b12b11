# METADATA
# title: seed
# scope: package
package a.b["c-d"]

import data.x.y as z
import rego.v1

# METADATA
# description: d
default allow := false

allow if input.a.b[_].c == 1

allow if {
	some x, y in input.list
	every k, v in y { v > k; not v.bad }
	x := {1, 2} | {3}
	count([q | some q in input.qs; q != 2]) >= 1 + 2 * 3 - -4 % 5
	{a: b | b := input[a]} == {"a": 1, "b": [true, null, -0.5e3]}
	f(x).y[0] with input.z as 3 with data.q as {"q"}
	not x in y
} else := {"x": $"a{x}b\{{y + 1}"} if {
	print(`raw "string"`, "es\"c\u00e9\ud83d\ude00")
} else := 3

deny contains msg if msg := sprintf("%v", [input])
f(x, _, [a, {"b": c}]) := a + c if x
p.q[r].s contains t if { t := r }
default g(_, y) := 1
