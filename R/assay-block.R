# Assays for Rust: sparse ones as slots, dense ones as values, those on disk by
# blocks of cells. Nothing sparse is made dense here.

# What a native call takes: list(slots) for a sparse matrix (features x cells),
# list(values, dim) for a dense one.
.matrixArg <- function(m) {
    if (methods::is(m, "sparseMatrix")) {
        return(.slots(.asGeneral(m)))
    }
    if (!is.double(m)) storage.mode(m) <- "double"
    list(m, dim(m))
}

# Number of cells per block, so that a dense block stays near 100 MB.
.blockSize <- function(m) max(1L, as.integer(1e8 / 8 / max(1L, nrow(m))))

# Blocks of cells of a matrix on disk; one block for a matrix in memory.
.cellBlocks <- function(m) {
    n <- ncol(m)
    if (!methods::is(m, "DelayedArray")) return(list(seq_len(n)))
    starts <- seq(1L, max(n, 1L), by = .blockSize(m))
    lapply(starts, function(s) s:min(s + .blockSize(m) - 1L, n))
}

# One block in memory, sparse if the source is.
.readBlock <- function(m, cells) {
    if (!methods::is(m, "DelayedArray")) {
        return(if (length(cells) == ncol(m)) m else m[, cells, drop = FALSE])
    }
    block <- m[, cells, drop = FALSE]
    if (DelayedArray::is_sparse(m)) {
        methods::as(block, "dgCMatrix")
    } else {
        as.matrix(block)
    }
}

# A whole assay in memory. A dense assay on disk is read only within
# options(fatecast.memory_limit), in bytes.
.inMemory <- function(m, what, call = rlang::caller_env()) {
    if (!methods::is(m, "DelayedArray")) {
        return(m)
    }
    if (!DelayedArray::is_sparse(m)) .checkMemory(m, what, call)
    blocks <- lapply(.cellBlocks(m), function(b) .readBlock(m, b))
    do.call(cbind, blocks)
}

# An assay as a plain matrix. What is sparse or on disk becomes dense only
# within options(fatecast.memory_limit).
.dense <- function(m, what, call = rlang::caller_env()) {
    if (!is.matrix(m)) .checkMemory(m, what, call)
    m <- as.matrix(m)
    if (!is.double(m)) storage.mode(m) <- "double"
    m
}

.checkMemory <- function(m, what, call = rlang::caller_env()) {
    bytes <- 8 * prod(as.double(dim(m)))
    limit <- getOption("fatecast.memory_limit", 4 * 2^30)
    if (bytes <= limit) {
        return(invisible(m))
    }
    .abort(
        "memory", paste0(
            what, " needs ", format(bytes / 2^30, digits = 3),
            " GiB in memory, more than the limit of ",
            format(limit / 2^30, digits = 3), " GiB."
        ), paste(
            "Raise options(fatecast.memory_limit = <bytes>) or",
            "choose fewer features."
        ), bytes = bytes, limit = limit, call = call
    )
}

# The assay that NULL stands for.
.assayName <- function(x, assay) {
    if (!is.null(assay)) return(assay)
    if (.containerClass(x) == "Seurat") "data" else "logcounts"
}
