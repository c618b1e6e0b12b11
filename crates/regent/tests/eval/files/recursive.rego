package recursive

a if b

b if a
