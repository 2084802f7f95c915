library(testthat)
library(fatecast)

test_check("fatecast")
