# input: containers-50
package bench

violation contains {"msg": msg} if {
	some i, one in input.review.object.spec.containers
	some j, other in input.review.object.spec.containers
	i < j
	one.ports[_].containerPort == other.ports[_].containerPort
	msg := sprintf("%s and %s use one port", [one.name, other.name])
}
