package unit_test

import data.unit
import rego.v1

test_denied if {
	unit.deny["no team"] with input as {}
}

test_allowed if {
	count(unit.deny) == 0 with input as {"team": "red"}
}

test_wrong if {
	count(unit.deny) == 1 with input as {"team": "red"}
}
