# The six cells and two genes of the specification, and objects from them.

sixGraph <- function(cells = paste0("c", 1:6)) {
    edges <- rbind(
        c(1, 2), c(1, 3), c(2, 4), c(3, 4), c(3, 5), c(5, 6), c(4, 6)
    )
    m <- matrix(0, 6, 6, dimnames = list(cells, cells))
    m[edges] <- seq_len(7) / 10
    .asGeneral(m + t(m))
}

sixSpliced <- function() {
    matrix(
        c(4, 6, 3, 8, 2, 1, 1, 0, 2, 3, 5, 9), 2, 6, byrow = TRUE,
        dimnames = list(c("g1", "g2"), paste0("c", 1:6))
    )
}

sixUnspliced <- function() {
    m <- sixSpliced()
    m[] <- rbind(c(2, 5, 1, 4, 1, 0), c(0, 1, 1, 0, 3, 4))
    m
}

sixCells <- function(unspliced = sixUnspliced(), sparse = TRUE) {
    store <- if (sparse) .asGeneral else identity
    sce <- SingleCellExperiment::SingleCellExperiment(list(
        spliced = store(sixSpliced()), unspliced = store(unspliced)
    ))
    sce$initial_size_spliced <- c(10, 12, 9, 15, 11, 14)
    sce$initial_size_unspliced <- c(5, 8, 4, 6, 6, 7)
    .writeGraph(sce, "connectivities", sixGraph())
}

# The same as Seurat, the unspliced counts as an assay of their own.
sixSeurat <- function(unspliced = sixUnspliced()) {
    skip_if_not_installed("SeuratObject")
    x <- suppressWarnings(
        SeuratObject::CreateSeuratObject(.asGeneral(sixSpliced()))
    )
    x[["unspliced"]] <- SeuratObject::CreateAssayObject(.asGeneral(unspliced))
    x$initial_size_spliced <- c(10, 12, 9, 15, 11, 14)
    x$initial_size_unspliced <- c(5, 8, 4, 6, 6, 7)
    .writeGraph(x, "connectivities", sixGraph())
}

offsetUnspliced <- function() {
    m <- sixSpliced()
    m[] <- rbind(c(4, 6, 3, 7, 3, 2), c(1, 0, 1, 2, 3, 4))
    m
}

# So few genes always bring a warning about their number.
fewGenes <- function(object) {
    withCallingHandlers(object, fatecast_warning_dropped = function(w) {
        if (!is.null(w$n_genes)) invokeRestart("muffleWarning")
    })
}

expectNear <- function(found, expected) {
    # The digits that the specification prints.
    expect_lt(max(abs(unname(found) - expected)), 5.2e-7)
}

# A simulated object with counts and graph only.
counted <- function(n_cells = 300, n_genes = 40, seed = 3) {
    sce <- simulateDifferentiation(
        n_cells, n_genes, random_state = seed, dense = FALSE, n_threads = 2
    )
    buildNeighbors(sce, n_neighbors = 12, n_threads = 2)
}

assayOf <- function(x, name) as.matrix(.readAssay(x, name))
columnOf <- function(x, name) .readFeatureData(x, name)
