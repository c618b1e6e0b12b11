# input: containers-50
package bench

violation contains {"msg": msg} if {
	some container in input.review.object.spec.containers
	some name, limit in container.resources.limits
	request := container.resources.requests[name]
	ratio := units.parse(limit) / units.parse(request)
	ratio > 3
	msg := sprintf("%s: the limit of %s is %v times what is requested", [container.name, name, ratio])
}
