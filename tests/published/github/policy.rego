package texts

import rego.v1

deny contains input.review.object.data.text if not startswith(input.review.object.data.text, "warn")

warn contains input.review.object.data.text if startswith(input.review.object.data.text, "warn")
