package p

x[y] { y := 1 }
