package v0

deny[msg] {
	input.user.name == "ann"
	msg := "not ann"
}
