# input: containers-50
package bench

violation contains {"msg": msg} if {
	some container in input.review.object.spec.containers
	not known(container)
	msg := sprintf("%s is of no known class", [container.name])
}

known(c) if class(c) == "small"

known(c) if class(c) == "large"

class(c) := "small" if {
	c.resources.requests.cpu == "100m"
	c.resources.requests.memory == "128Mi"
}

class(c) := "medium" if {
	c.resources.requests.cpu == "250m"
	c.resources.requests.memory == "256Mi"
}

class(c) := "large" if {
	c.resources.requests.cpu == "1"
	c.resources.requests.memory == "1Gi"
}

class(c) := "huge" if {
	c.resources.requests.cpu == "8"
	c.resources.requests.memory == "16Gi"
}
