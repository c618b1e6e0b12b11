# input: service
# data: services-10000
package bench

violation contains {"msg": msg} if {
	some namespace, name
	other := data.inventory.namespace[namespace].v1.Service[name]
	other.spec.type == "LoadBalancer"
	some port in other.spec.ports
	port.nodePort == input.review.object.spec.ports[_].nodePort
	msg := sprintf("%s/%s has that node port", [namespace, name])
}
