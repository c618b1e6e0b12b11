# input: containers-50
package bench

violation contains {"msg": msg} if {
	provided := {label | some label, _ in input.review.object.metadata.labels}
	required := {"app", "owner", "team", "tier"}
	missing := required - provided
	count(missing) > 0
	msg := sprintf("labels are missing: %v", [missing])
}

violation contains {"msg": msg} if {
	images := {c.image: names |
		some c in input.review.object.spec.containers
		names := [d.name | some d in input.review.object.spec.containers; d.image == c.image]
	}
	some image, names in images
	count(names) > 1
	msg := sprintf("%s runs %d times: %s", [image, count(names), concat(", ", names)])
}
