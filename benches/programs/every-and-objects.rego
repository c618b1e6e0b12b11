# input: containers-50
package bench

default ok := false

ok if {
	every container in input.review.object.spec.containers {
		container.resources.limits.memory
		container.image != ""
		every port in container.ports {
			port.containerPort > 1023
			port.protocol in {"TCP", "UDP"}
		}
	}
}

violation contains {"msg": "some container is not as it must be"} if not ok

violation contains {"msg": msg} if {
	some container in input.review.object.spec.containers
	defaults := {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "1Gi"}
	wanted := object.union(defaults, object.get(container, ["resources", "requests"], {}))
	some name, value in wanted
	not container.resources.requests[name] == value
	msg := sprintf("%s: %s would be %s", [container.name, name, value])
}
