# Writes what the peer reads: raw arrays, cells in rows, into a folder.
# Rscript export.R <pancreas.rds> <folder>

suppressMessages(library(SingleCellExperiment))
arguments <- commandArgs(trailingOnly = TRUE)
stopifnot("usage: export.R <pancreas.rds> <folder>" = length(arguments) == 2L)
folder <- arguments[2L]
sce <- readRDS(arguments[1L])

values <- function(x, name) {
    writeBin(as.vector(x), file.path(folder, name), endian = "little")
}
lines <- function(x, name) writeLines(as.character(x), file.path(folder, name))

# Row-major for the reader: the assays are genes x cells already.
for (name in c("Ms", "velocity")) {
    values(as.double(as.matrix(assay(sce, name))), paste0(name, ".f64"))
}
values(as.double(t(reducedDim(sce, "PCA"))), "PCA.f64")
counts <- as(as(assay(sce, "logcounts"), "CsparseMatrix"), "generalMatrix")
values(counts@x, "logcounts_x.f64")
values(counts@i, "logcounts_i.i32")
values(counts@p, "logcounts_p.i32")
lines(rowData(sce)$velocity_genes, "velocity_genes.txt")
lines(sce$clusters, "clusters.txt")
lines(rownames(sce), "genes.txt")
lines(colnames(sce), "cells.txt")
