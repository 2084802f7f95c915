# Small objects with a chain, a graph and an embedding, every number known, and
# the formulas of the projection as they are written.

flowObject <- function(n = 60L, seed = 4L) {
    cells <- paste0("c", seq_len(n))
    withr::with_seed(seed, {
        z <- matrix(rnorm(2 * n, sd = 3), n)
        away <- unname(as.matrix(stats::dist(z)))
        near <- t(apply(away, 1L, rank)) <= 9
        graph <- exp(-away) * (near | t(near))
        diag(graph) <- 0
        chain <- (graph > 0) * matrix(runif(n^2), n)
    })
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = matrix(
        0, 2, n, dimnames = list(c("g1", "g2"), cells)
    )))
    sce$kind <- factor(rep_len(c("a", "b", "c"), n))
    sce$time <- seq_len(n) / n
    SingleCellExperiment::reducedDim(sce, "UMAP") <- z
    chain <- .asGeneral(chain / rowSums(chain))
    sce <- .writeGraph(sce, "connectivities", .asGeneral(graph))
    .writeGraph(sce, "T_fwd", chain)
}

flowMatrices <- function(sce) {
    list(
        t = as.matrix(.readGraph(sce, "T_fwd")),
        graph = as.matrix(.readGraph(sce, "connectivities")),
        z = unname(.readEmbedding(sce, "UMAP"))
    )
}

# Arrows before scaling.
slowArrows <- function(t, graph, z) {
    do.call(rbind, lapply(seq_len(nrow(z)), function(i) {
        at <- which(graph[i, ] != 0)
        d <- sweep(z[at, , drop = FALSE], 2L, z[i, ])
        d <- d / sqrt(rowSums(d^2))
        d[is.nan(d)] <- 0
        colSums(t[i, at] * d) - colSums(d) / length(at)
    }))
}

slowScale <- function(z, u) {
    s <- max(abs(z))
    span <- 1.1 * apply(z / s, 2L, function(v) diff(range(v)))
    long <- sqrt((u[, 1] * 496 / span[1])^2 + (u[, 2] * 369.6 / span[2])^2)
    1.8 * mean(long) * max(10, sqrt(nrow(z))) / 496 / s
}

slowProjection <- function(sce) {
    m <- flowMatrices(sce)
    u <- slowArrows(m$t, m$graph, m$z)
    u / (3 * slowScale(m$z, u))
}

# Grid of `points` a side, first axis fastest: places, averaged arrows, mass.
slowGrid <- function(z, u, points, k, smooth = 0.5) {
    axes <- lapply(1:2, function(c) {
        low <- min(z[, c]) - 0.01 * diff(range(z[, c]))
        high <- max(z[, c]) + 0.01 * (max(z[, c]) - low)
        seq(low, high, length.out = points)
    })
    sd <- smooth * mean(vapply(axes, function(a) a[2] - a[1], 1))
    places <- as.matrix(expand.grid(axes))
    rows <- lapply(seq_len(nrow(places)), function(i) {
        away <- sqrt(colSums((t(z) - places[i, ])^2))
        at <- order(away)[seq_len(k)]
        w <- stats::dnorm(away[at], sd = sd)
        c(places[i, ], colSums(w * u[at, , drop = FALSE]) / max(1, sum(w)),
            sum(w))
    })
    do.call(rbind, rows)
}

velocityKernel <- function() {
    once("velocity kernel", computeTransitionMatrix(
        VelocityKernel(tree()), n_threads = 2
    ))
}
