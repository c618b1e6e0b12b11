# METADATA
# title: Services stay inside
# description: A Service is reached through an Ingress, not through ports of the nodes or addresses of its own.
# custom:
#   match:
#     kinds:
#       - apiGroups: [""]
#         kinds: ["Service"]
package shop.services

import rego.v1

deny contains msg if {
	service.spec.type == "NodePort"
	msg := sprintf("service %q is of type NodePort; use ClusterIP and an Ingress", [service.metadata.name])
}

deny contains {"msg": msg, "details": {"address": address}} if {
	some address in service.spec.externalIPs
	msg := sprintf("service %q claims the external address %s", [service.metadata.name, address])
}

warn contains msg if {
	service.spec.type == "LoadBalancer"
	not internal
	msg := sprintf("service %q opens a load balancer to the world", [service.metadata.name])
}

internal if service.metadata.annotations["shop.example/load-balancer"] == "internal"

service := input.review.object
