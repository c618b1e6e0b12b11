package tree.rules

x := data.deep.there + data.here
