package unit

import rego.v1

deny contains "no team" if not input.team
