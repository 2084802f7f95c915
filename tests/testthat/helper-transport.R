# Small time courses with a few islands of cells, and the plain dense solver.

courseCells <- function(n = c(40L, 50L), d = 3L, seed = 1L) {
    withr::with_seed(seed, {
        m <- matrix(stats::rnorm(sum(n) * d), sum(n), d)
    })
    day <- rep(seq_along(n) - 1L, n)
    island <- sequence(n) %% 3L
    for (k in seq_len(min(3L, d))) m[, k] <- m[, k] + 4 * (island == k - 1L)
    list(points = m + 0.2 * day, day = factor(day), island = island)
}

courseSCE <- function(n = c(40L, 50L), d = 3L, seed = 1L) {
    cells <- courseCells(n, d, seed)
    names <- paste0("c", seq_along(cells$day))
    counts <- matrix(1, 2, length(names), dimnames = list(c("a", "b"), names))
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = counts))
    sce$day <- cells$day
    sce$island <- factor(cells$island)
    sce$growth <- 0.5 + seq_along(names) %% 5L / 4
    rownames(cells$points) <- names
    SingleCellExperiment::reducedDim(sce, "PCA") <- cells$points
    sce
}

# Expected numbers of descendants and the coupling, by plain iterations.
denseCoupling <- function(cost, p, epsilon = 0.05, lambda = c(1, 50)) {
    n <- dim(cost)
    alpha <- lambda / (lambda + epsilon)
    alpha[is.infinite(lambda)] <- 1
    q <- mean(p)
    f <- numeric(n[1L])
    g <- numeric(n[2L])
    logMean <- function(m, side) {
        top <- apply(m, side, max)
        log(apply(exp(sweep(m, side, top)), side, mean)) + top
    }
    for (round in seq_len(20000L)) {
        old <- f
        f <- alpha[1L] * epsilon *
            (log(p) - logMean(sweep(-cost, 2L, g, "+") / epsilon, 1L))
        g <- alpha[2L] * epsilon *
            (log(q) - logMean(sweep(-cost, 1L, f, "+") / epsilon, 2L))
        if (max(abs(f - old)) < 1e-14) break
    }
    exp((outer(f, g, "+") - cost) / epsilon) / n[2L]
}

squaredDistances <- function(x, y) {
    outer(rowSums(x^2), rowSums(y^2), "+") - 2 * tcrossprod(x, y)
}

# A coupling computed quietly: few cells give a warning.
quietCouplings <- function(...) {
    withCallingHandlers(computeCouplings(..., n_threads = 2),
        fatecast_warning_unreliable = function(w) {
            tryInvokeRestart("muffleWarning")
        }, fatecast_warning_dropped = function(w) {
            tryInvokeRestart("muffleWarning")
        }
    )
}
