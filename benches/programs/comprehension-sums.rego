# input: containers-50
package bench

violation contains {"msg": msg} if {
	total := sum([units.parse(c.resources.requests.cpu) | some c in input.review.object.spec.containers])
	total > 4
	msg := sprintf("all containers request %v cores", [total])
}

violation contains {"msg": msg} if {
	by_port := {port: owners |
		some port in {p | p := input.review.object.spec.containers[_].ports[_].containerPort}
		owners := {c.name | some c in input.review.object.spec.containers; c.ports[_].containerPort == port}
	}
	clashes := [port | some port, owners in by_port; count(owners) > 1]
	count(clashes) > 0
	msg := sprintf("ports used twice: %v", [clashes])
}
