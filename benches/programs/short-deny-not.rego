# input: realistic-pod
package bench

violation contains {"msg": msg} if {
	input.review.kind.kind == "Pod"
	not input.review.object.metadata.labels.owner
	msg := sprintf("%s has no owner", [input.review.object.metadata.name])
}
