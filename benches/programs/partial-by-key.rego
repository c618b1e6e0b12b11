# input: realistic-pod
# version: v0
package bench

violation[{"msg": msg}] {
	general_violation[{"msg": msg, "field": "containers"}]
}

violation[{"msg": msg}] {
	general_violation[{"msg": msg, "field": "initContainers"}]
}

general_violation[{"msg": msg, "field": field}] {
	container := input.review.object.spec[field][_]
	not container.securityContext.readOnlyRootFilesystem == true
	msg := sprintf("%s %s writes to its root", [field, container.name])
}

general_violation[{"msg": msg, "field": field}] {
	container := input.review.object.spec[field][_]
	count({x | x := container.securityContext.capabilities.drop[_]} & {"ALL", "all"}) == 0
	msg := sprintf("%s %s keeps capabilities", [field, container.name])
}
