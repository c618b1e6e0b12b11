package shop.services_test

import data.shop.services
import rego.v1

review(spec, annotations) := {"review": {"object": {"metadata": {"name": "web", "annotations": annotations}, "spec": spec}}}

test_cluster_ip if {
	services.deny == set() with input as review({"type": "ClusterIP"}, {})
	services.warn == set() with input as review({"type": "ClusterIP"}, {})
}

test_node_port if {
	services.deny == {`service "web" is of type NodePort; use ClusterIP and an Ingress`} with input as review({"type": "NodePort"}, {})
}

test_external_addresses if {
	found := services.deny with input as review({"externalIPs": ["192.0.2.7", "192.0.2.8"]}, {})
	{finding.details.address | some finding in found} == {"192.0.2.7", "192.0.2.8"}
}

test_load_balancer if {
	count(services.warn) == 1 with input as review({"type": "LoadBalancer"}, {})
}

test_internal_load_balancer if {
	services.warn == set() with input as review({"type": "LoadBalancer"}, {"shop.example/load-balancer": "internal"})
}
