# Time courses with couplings, and the chain they make by its definition.

# Cells of four days in mixed order, with a PCA.
course <- function(n = 64L, seed = 1L) {
    cells <- paste0("cell", seq_len(n))
    withr::with_seed(seed, {
        day <- factor(sample(rep_len(0:3, n)), levels = 0:4)
        place <- matrix(stats::rnorm(n * 3), n, dimnames = list(cells, NULL))
    })
    place[, 1L] <- place[, 1L] + 2 * as.integer(day)
    # Enough features that neighbours are searched in the PCA.
    sce <- smallSCE(n, 60L)
    colnames(sce) <- cells
    SummarizedExperiment::colData(sce)$day <- day
    SummarizedExperiment::colData(sce)$kind <- factor(
        ifelse(place[, 2L] > 0, "upper", "lower")
    )
    SingleCellExperiment::reducedDim(sce, "PCA") <- place
    sce
}

courseSeurat <- function(sce) {
    object <- smallSeurat(ncol(sce), 60L)
    object <- .writeCellData(object, list(day = sce$day, kind = sce$kind))
    .writeEmbedding(object, "pca", .readEmbedding(sce, "PCA"))
}

# Dense couplings of all pairs of days given as list(c("0", "1"), ...).
courseCouplings <- function(sce, pairs = sequentialDays, seed = 2L) {
    cells <- split(colnames(sce), sce$day)
    withr::with_seed(seed, {
        made <- lapply(pairs, function(p) {
            m <- outer(cells[[p[1L]]], cells[[p[2L]]], paste)
            m[] <- stats::runif(length(m))^3
            storage.mode(m) <- "double"
            dimnames(m) <- cells[p]
            names(dimnames(m)) <- NULL
            m
        })
    })
    names(made) <- vapply(pairs, paste, "", collapse = "_")
    made
}

sequentialDays <- list(c("0", "1"), c("1", "2"), c("2", "3"))
allDays <- list(
    c("0", "1"), c("0", "2"), c("0", "3"), c("1", "2"), c("1", "3"), c("2", "3")
)

# The walk within a day, from public verbs on its cells alone.
slowWalk <- function(sce, cells, n_neighbors = 15, density_normalize = TRUE) {
    place <- .readEmbedding(sce, "PCA")[cells, , drop = FALSE]
    graph <- suppressWarnings(
        buildNeighbors(place, n_neighbors, use_rep = NULL)$connectivities
    )
    k <- computeTransitionMatrix(
        ConnectivityKernel(graph), density_normalize = density_normalize
    )
    as.matrix(transitionMatrix(k))
}

slowThresholds <- function(couplings, threshold) {
    least <- function(m) {
        top <- apply(m, 1L, max)
        min(top[top > 0])
    }
    if (is.null(threshold)) return(rep(0, length(couplings)))
    if (identical(threshold, "auto")) {
        return(rep(min(vapply(couplings, least, 1)), length(couplings)))
    }
    if (identical(threshold, "auto_local")) {
        return(vapply(couplings, least, 1))
    }
    vapply(couplings, function(m) {
        stats::quantile(m, threshold / 100, names = FALSE, type = 7L)
    }, 1)
}

# The chain of steps 3 to 8, with dense matrices throughout.
slowCourse <- function(sce, couplings, threshold = "auto",
                       self = "connectivities", weight = NULL, ...) {
    cells <- split(colnames(sce), droplevels(sce$day))
    ends <- strsplit(names(couplings), "_")
    last <- max(unlist(ends))
    within <- if (identical(self, "all")) {
        setdiff(names(cells), last)
    } else {
        setdiff(self, c("connectivities", "diagonal", "uniform"))
    }
    n <- ncol(sce)
    out <- matrix(0, n, n, dimnames = list(colnames(sce), colnames(sce)))
    cuts <- slowThresholds(couplings, threshold)
    for (at in seq_along(couplings)) {
        m <- couplings[[at]]
        m[m < cuts[at]] <- 0
        empty <- rowSums(m) == 0
        m[empty, ] <- 1 / ncol(m)
        if (ends[[at]][1L] %in% within) m <- (1 - weight) * m / rowSums(m)
        out[rownames(m), colnames(m)] <- m
    }
    for (day in within) {
        own <- cells[[day]]
        out[own, own] <- weight * slowWalk(sce, own, ...)
    }
    own <- cells[[last]]
    out[own, own] <- switch(self[1L],
        diagonal = diag(length(own)), uniform = 1 / length(own),
        slowWalk(sce, own, ...)
    )
    out / rowSums(out)
}
