package service

import rego.v1

deny contains "a Service must not be of type NodePort" if input.review.object.spec.type == "NodePort"

deny contains msg if {
	some port in input.review.object.spec.ports
	port.nodePort > 30000
	msg := sprintf("node port %d is not for you", [port.nodePort])
}

warn contains {"msg": "exposed"} if input.review.object.metadata.annotations.exposed

deny contains "no selector" if not input.review.object.spec.selector
