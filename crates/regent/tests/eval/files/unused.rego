package unused

import data.p

x := 1 if {
	y := 2
	true
}
