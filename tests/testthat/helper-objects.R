# Small containers with random content, the same in each class.

smallCounts <- function(n_cells = 12L, n_features = 8L, seed = 1L) {
    withr::with_seed(seed, {
        m <- Matrix::rsparsematrix(
            n_features, n_cells, 0.6,
            rand.x = function(n) as.double(1 + stats::rpois(n, 2))
        )
    })
    dimnames(m) <- list(
        paste0("gene", seq_len(n_features)), paste0("cell", seq_len(n_cells))
    )
    m
}

smallSCE <- function(n_cells = 12L, n_features = 8L, seed = 1L) {
    m <- smallCounts(n_cells, n_features, seed)
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = m, logcounts = log1p(m))
    )
    SummarizedExperiment::colData(sce)$type <- smallTypes(n_cells)
    sce
}

smallTypes <- function(n_cells) {
    factor(rep_len(c("A", "B"), n_cells), levels = c("B", "A", "unused"))
}

# In the newest assay class that the installed SeuratObject has.
smallSeurat <- function(n_cells = 12L, n_features = 8L, seed = 1L) {
    skip_if_not_installed("SeuratObject")
    m <- smallCounts(n_cells, n_features, seed)
    if (n_cells == 1L) {
        # Version 5 cannot make a layered assay of one cell.
        withr::local_options(Seurat.object.assay.version = "v3")
    }
    object <- SeuratObject::CreateSeuratObject(m)
    object <- SeuratObject::SetAssayData(object, "data", log1p(m))
    type <- smallTypes(n_cells)
    names(type) <- colnames(m)
    SeuratObject::AddMetaData(object, type, "type")
}

hasLayers <- function() {
    requireNamespace("SeuratObject", quietly = TRUE) &&
        utils::packageVersion("SeuratObject") >= "5.0.0"
}

# Version 3 assay inside a version 5 object: users still have them.
smallSlotted <- function(...) {
    skip_if_not_installed("SeuratObject")
    withr::local_options(Seurat.object.assay.version = "v3")
    smallSeurat(...)
}

# The whole contract runs against each of these.
smallContainers <- function(...) {
    made <- list(SingleCellExperiment = smallSCE(...))
    if (requireNamespace("SeuratObject", quietly = TRUE)) {
        made$Seurat <- smallSeurat(...)
        made$`Seurat, slots` <- smallSlotted(...)
    }
    made
}

# A graph with an isolated cell, an explicit zero and no symmetry.
smallGraph <- function(cells, seed = 2L) {
    n <- length(cells)
    withr::with_seed(seed, {
        m <- Matrix::rsparsematrix(n, n, 0.4, rand.x = stats::runif)
    })
    m <- methods::as(m, "generalMatrix")
    m <- m - Matrix::Diagonal(n, Matrix::diag(m))
    m <- Matrix::drop0(methods::as(m, "dgCMatrix"))
    if (length(m@x)) {
        m@x[1L] <- 0
    }
    methods::new(
        "dgCMatrix",
        i = m@i, p = m@p, x = m@x, Dim = m@Dim,
        Dimnames = list(cells, cells)
    )
}

# Three nearest others in one dimension, nearest first.
smallDistances <- function(n, k = 3L) {
    at <- cumsum(seq_len(n)^1.5)
    away <- abs(outer(at, at, "-"))
    diag(away) <- Inf
    indices <- t(apply(away, 1L, function(d) order(d)[seq_len(k)]))
    distances <- t(apply(away, 1L, function(d) sort(d)[seq_len(k)]))
    list(indices = indices, distances = distances)
}

smallEmbedding <- function(cells, d = 2L) {
    matrix(
        sin(seq_len(length(cells) * d)), length(cells), d,
        dimnames = list(cells, paste0("axis ", seq_len(d)))
    )
}
