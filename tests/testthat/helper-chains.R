# Three blocks of five cells, linked by small probabilities.
blocks <- function(leak = 0.01, size = 5) {
    n <- 3 * size
    m <- kronecker(diag(3), matrix(1 / size, size, size))
    other <- kronecker(1 - diag(3), matrix(1 / (2 * size), size, size))
    m <- (1 - leak) * m + leak * other
    dimnames(m) <- list(paste0("c", seq_len(n)), paste0("c", seq_len(n)))
    m
}
