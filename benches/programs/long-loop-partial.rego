# input: containers-200
# version: v0
package bench

violation[{"msg": msg}] {
	c := input_containers[_]
	not exempt(c)
	c.securityContext.allowPrivilegeEscalation
	msg := sprintf("Privilege escalation container is not allowed: %v", [c.name])
}

exempt(container) {
	prefix := input.parameters.exemptPrefixes[_]
	startswith(container.image, prefix)
}

input_containers[c] {
	c := input.review.object.spec.containers[_]
}

input_containers[c] {
	c := input.review.object.spec.initContainers[_]
}
