package unsafe

x if y > 1

z := undeclared(3)
