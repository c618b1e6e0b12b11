# input: containers-50
package bench

violation contains {"msg": msg} if {
	some container in input.review.object.spec.containers
	not regex.match(`^(registry\.example\.com|quay\.io)/[a-z0-9-]+(/[a-z0-9-]+)*:v?[0-9]+\.[0-9]+\.[0-9]+$`, container.image)
	not glob.match("registry.example.com/**", ["/"], container.image)
	msg := sprintf("image %s is not allowed", [container.image])
}
