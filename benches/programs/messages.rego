# input: containers-50
package bench

violation contains {"msg": msg, "details": {"container": container.name}} if {
	some container in input.review.object.spec.containers
	not container.livenessProbe
	msg := sprintf("container <%v> of pod <%v> has no livenessProbe", [container.name, input.review.object.metadata.name])
}
