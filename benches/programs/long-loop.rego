# input: containers-200
package bench

violation contains {"msg": msg} if {
	some container in input.review.object.spec.containers
	container.securityContext.privileged
	msg := sprintf("%s is privileged", [container.name])
}
