package big

violation contains {"msg": msg} if {
	sums := [x | some i in numbers.range(1, 100000); x := i + 1]
	msg := sprintf("%d", [count(sums)])
}
