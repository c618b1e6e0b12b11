package a

import future.keywords.in
import future.keywords.every

default p = {"a": [1]}
p = x { x := 1 } { x := 2 }
q[x] { input.a[x]; not x.y }
q[{"msg": msg, "n": n}] = y { some i, j; y = i[j]; msg := n }
f(x) = y { y := x } else = 2 { x > 3 }
r { some x in input; every y in x { y } }
s["a"]
t.u.v
w[1] = 2
x = 3
set_ = set()
