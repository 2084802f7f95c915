# A walk on `n` sites in a row that ends at either side.
ruin <- function(n) {
    inner <- seq_len(n - 2L) + 1L
    m <- matrix(0, n, n)
    m[cbind(inner, inner - 1L)] <- 0.5
    m[cbind(inner, inner + 1L)] <- 0.5
    m[1L, 1L] <- m[n, n] <- 1
    dimnames(m) <- list(paste0("site", seq_len(n)), paste0("site", seq_len(n)))
    m
}

# The results of an estimator of the tree, in a Seurat object.
seuratResults <- function(fit) {
    fit@container <- once("seurat tree", seuratFrom(tree()))
    container(fit)
}

# Parameters and runs by key; results, which are kept by step.
partsOf <- function(fit) {
    byName <- function(v) if (length(v)) v[order(names(v))]
    list(
        results = byName(fit@results), params = byName(fit@params),
        run = byName(fit@run), class = class(fit),
        matrix = transitionMatrix(fit), backward = isBackward(fit)
    )
}
