# Objects of the whole pipeline, made once per session.

.made <- new.env(parent = emptyenv())

once <- function(name, make) {
    if (is.null(.made[[name]])) assign(name, make, envir = .made)
    .made[[name]]
}

tree <- function() {
    once("tree", buildNeighbors(
        simulateDifferentiation(
            n_cells = 600, n_genes = 300, random_state = 1, n_threads = 2
        ), n_neighbors = 30, n_threads = 2
    ))
}

fitted <- function() {
    once("fitted", castFates(
        tree(), cluster_key = "cell_type", n_threads = 2
    ))
}

# The Seurat object of the same data, with the same names of results.
seuratFrom <- function(sce) {
    skip_if_not_installed("SeuratObject")
    data <- SummarizedExperiment::assay
    object <- suppressWarnings(SeuratObject::CreateSeuratObject(
        data(sce, "counts"),
        meta.data = as.data.frame(SummarizedExperiment::colData(sce))
    ))
    object <- SeuratObject::SetAssayData(object, "data", data(sce, "logcounts"))
    for (name in c("Ms", "velocity")) {
        object <- .writeAssay(object, name, data(sce, name))
    }
    object <- .writeFeatureData(
        object, as.data.frame(SummarizedExperiment::rowData(sce))
    )
    for (name in .embeddingNames(sce)) {
        object <- .writeEmbedding(
            object, tolower(name), .readEmbedding(sce, name)
        )
    }
    for (key in setdiff(.graphNames(sce), "distances")) {
        object <- .writeGraph(object, key, .readGraph(sce, key))
    }
    object
}

# The same bytes on 1, 2 and 4 threads and on every instruction-set path;
# `compute` takes the number of threads.
expectSameBits <- function(compute) {
    on.exit(rs_simd_path("auto"))
    bytes <- function(threads) serialize(compute(threads), NULL, version = 3L)
    first <- bytes(1)
    for (threads in c(2, 4)) {
        expect_identical(bytes(threads), first, label = paste(
            "the result on", threads, "threads"
        ))
    }
    rs_simd_path("baseline")
    expect_identical(bytes(2), first, label = "the result without wide SIMD")
    invisible(first)
}

# Runs R code in a child process with the package loaded; returns its output
# and status.
inChild <- function(code, timeout = 60) {
    file <- withr::local_tempfile(fileext = ".R")
    paths <- paste0(".libPaths(c(", paste(
        encodeString(.libPaths(), quote = "\""), collapse = ", "
    ), "))")
    writeLines(c(paths, "library(fatecast)", code), file)
    out <- suppressWarnings(system2(
        file.path(R.home("bin"), "Rscript"), c("--vanilla", file),
        stdout = TRUE, stderr = TRUE, timeout = timeout
    ))
    status <- attr(out, "status")
    list(
        output = paste(out, collapse = "\n"),
        status = if (is.null(status)) 0L else status
    )
}
