# Graphs with known clusters.

# `m` complete graphs of `size` cells, joined in a ring by single edges.
ringOfCliques <- function(m = 6L, size = 5L) {
    n <- m * size
    block <- rep(seq_len(m), each = size)
    a <- outer(block, block, "==") - diag(n)
    ends <- seq(size, n, by = size)
    starts <- c(ends[-m] + 1L, 1L)
    a[cbind(ends, starts)] <- 1
    a[cbind(starts, ends)] <- 1
    names <- paste0("c", seq_len(n))
    dimnames(a) <- list(names, names)
    methods::as(methods::as(a, "generalMatrix"), "CsparseMatrix")
}

# Modularity straight from its definition.
slowModularity <- function(a, labels, resolution = 1, directed = FALSE) {
    a <- as.matrix(a)
    total <- sum(a)
    same <- outer(labels, labels, "==")
    null <- outer(rowSums(a), colSums(a)) / total
    sum((a - resolution * null)[same]) / total
}

# Every group is connected in the graph between its cells.
groupsConnected <- function(a, labels) {
    pieces <- vapply(unique(labels), function(g) {
        at <- labels == g
        rs_graph_components(.slots(.asGeneral(a[at, at, drop = FALSE])))
    }, numeric(1))
    all(pieces == 1)
}
