package p

import data.numbers as ns

name := input.user.name

is_admin if "admin" in input.user.roles

deny contains msg if {
	some role in input.user.roles
	not allowed[role]
	msg := sprintf("%s may not be %s", [input.user.name, role])
}

allowed := {"reader", "writer"}

total := sum(ns)

squares[n] := n * n if some n in ns

default level := "low"

level := "high" if total > 10

f(x) := x + 1

ratio := 1 / 0

clash := 1 if true

clash := 2 if input.clash
