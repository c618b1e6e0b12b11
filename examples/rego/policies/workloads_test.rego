package shop.workloads_test

import data.shop.workloads
import rego.v1

deployment(spec) := {"review": {"object": {"kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}}}

template(containers) := {"spec": {"containers": containers}}

test_probed if {
	workloads.deny == set() with input as deployment({"template": template([{"name": "web", "readinessProbe": {"httpGet": {"port": 80}}}])})
}

test_not_probed if {
	workloads.deny == {`container "proxy" has no readinessProbe`} with input as deployment({"template": template([
		{"name": "web", "readinessProbe": {"httpGet": {"port": 80}}},
		{"name": "proxy"},
	])})
}

test_replicas_default_to_one if {
	count(workloads.warn) == 1 with input as deployment({})
}

test_two_replicas if {
	workloads.warn == set() with input as deployment({"replicas": 2})
}
