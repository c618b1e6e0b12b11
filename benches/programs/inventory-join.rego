# input: ingress
# data: ingresses-10000
package bench

violation contains {"msg": msg} if {
	some rule in input.review.object.spec.rules
	some namespace, name
	other := data.inventory.namespace[namespace][_].Ingress[name]
	other.spec.rules[_].host == rule.host
	other.metadata.uid != input.review.object.metadata.uid
	msg := sprintf("host %s is claimed by %s/%s", [rule.host, namespace, name])
}
