# input: small-pod
package bench

violation contains {"msg": "host network is not allowed"} if {
	input.review.object.spec.hostNetwork == true
}
