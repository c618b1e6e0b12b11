# METADATA
# title: Workloads can be operated
# description: What runs for long can be asked whether it is well, and survives the loss of a node.
# custom:
#   enforcementAction: deny
#   match:
#     kinds:
#       - apiGroups: ["apps"]
#         kinds: ["Deployment", "StatefulSet"]
#     excludedNamespaces: ["sandbox-*"]
package shop.workloads

import rego.v1

deny contains msg if {
	some container in workload.spec.template.spec.containers
	not container.readinessProbe
	msg := sprintf("container %q has no readinessProbe", [container.name])
}

warn contains msg if {
	workload.kind == "Deployment"
	object.get(workload.spec, "replicas", 1) < 2
	msg := sprintf("deployment %q runs a single replica", [workload.metadata.name])
}

workload := input.review.object
