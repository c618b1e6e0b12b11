package lib

import rego.v1

name := "web" if {
	input.name == "web"
} else := "other" if {
	input.name
	count(input.name) > 3
} else := "short"

never if {
	input.x > 1
	input.y > 2
}
