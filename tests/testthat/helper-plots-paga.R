# The object of helper-plots.R with four groups and the record that
# computePAGA() would leave, every number known.

pagaRecord <- function(cells, groups, ...) {
    names <- levels(groups)
    m <- matrix(0, 4, 4, dimnames = list(names, names))
    full <- m
    full["root", c("A", "B", "C")] <- c(0.8, 0.5, 0.3)
    full["A", "B"] <- 0.02
    full <- full + t(full)
    # One direction only, as some programs store it.
    tree <- m
    tree["root", c("A", "B", "C")] <- c(0.8, 0.5, 0.3)
    flow <- m
    flow[c("A", "B"), "root"] <- c(0.4, 0.2)
    flow["C", "A"] <- 0.05
    sparse <- function(v) .asGeneral(v)
    record <- .record("computePAGA", list(groups = "kind"), cells = cells)
    record[c(
        "connectivities", "connectivities_tree", "transitions_confidence",
        "groups", "sizes", "pos"
    )] <- list(
        sparse(full), sparse(tree), sparse(flow), "kind",
        stats::setNames(tabulate(groups), names),
        matrix(c(0, 1, 1, 1, 0, 1, 0, -1), 4)
    )
    more <- list(...)
    record[names(more)] <- more
    record
}

pagaKinds <- function(sce) {
    kind <- ifelse(sce$time < 0.3, "root", as.character(sce$group))
    factor(kind, levels = c("root", "A", "B", "C"))
}

pagaObject <- function(...) {
    sce <- plotObject()
    sce$kind <- pagaKinds(sce)
    .writeRecord(
        sce, "paga", pagaRecord(colnames(sce), sce$kind, ...),
        nested = FALSE
    )
}

pagaSeurat <- function(...) {
    skip_if_not_installed("SeuratObject")
    sce <- pagaObject()
    genes <- SummarizedExperiment::assay(sce, "logcounts")
    x <- suppressWarnings(SeuratObject::CreateSeuratObject(
        methods::as(genes, "CsparseMatrix")
    ))
    x <- SeuratObject::SetAssayData(
        x, "data", methods::as(genes, "CsparseMatrix")
    )
    x <- .writeCellData(x, list(
        kind = sce$kind, group = sce$group, time = sce$time
    ))
    layout <- SingleCellExperiment::reducedDim(sce, "LAYOUT")
    rownames(layout) <- colnames(sce)
    x <- .writeEmbedding(x, "layout", layout)
    .writeRecord(
        x, "paga", pagaRecord(colnames(sce), sce$kind, ...),
        nested = FALSE
    )
}

# Building a plot runs every scale, guide and layer.
drawn <- function(plot) {
    path <- withr::local_tempfile(fileext = ".pdf")
    grDevices::pdf(path)
    on.exit(grDevices::dev.off())
    print(plot)
    invisible(plot)
}
