# input: containers-50
package bench

violation contains {"msg": msg} if {
	some container in input.review.object.spec.containers
	[registry, path] := parts(container.image)
	not lower(registry) in {"registry.example.com", "quay.io"}
	msg := sprintf("%s comes from %s", [upper(path), trim_suffix(registry, "/")])
}

parts(image) := [registry, path] if {
	pieces := split(image, "/")
	count(pieces) > 1
	contains(pieces[0], ".")
	registry := pieces[0]
	path := concat("/", array.slice(pieces, 1, count(pieces)))
} else := ["docker.io", image]
