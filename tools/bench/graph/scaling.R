# How work and memory grow with cells: operation counts from the records of the
# verbs, seconds, and peak memory per cell.
# Rscript scaling.R <folder> <cells in the folder> [threads] [cells ...]
#
# <folder> is one of prepare.py; its first cells are a tree of that many cells.
# Each number of cells has a process of its own. Where VmHWM cannot be reset
# (other than Linux), memory is that of the whole process so far.

arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(
    "usage: scaling.R <folder> <cells there> [threads] [cells ...]" =
        length(arguments) >= 2L
)
folder <- arguments[1L]
cells <- as.integer(arguments[2L])
threads <- as.integer(c(arguments[-(1:2)], "2")[1L])
sizes <- as.integer(arguments[-(1:3)])
if (!length(sizes)) sizes <- c(10000L, 30000L, 100000L)
sizes <- sizes[sizes <= cells]
script <- sub("--file=", "", grep("^--file=", commandArgs(), value = TRUE))
source(file.path(dirname(script), "..", "common.R"))
child <- Sys.getenv("FATECAST_SCALING_OUTPUT")

# The numbers a record's run holds, but for those that are no counts.
countsOf <- function(sce, key) {
    run <- S4Vectors::metadata(sce)[[key]]$run
    run <- run[setdiff(names(run), c("threads", "seconds", "time", "version"))]
    unlist(Filter(function(v) is.numeric(v) && length(v) == 1L, run))
}

# `verb` on the object, its seconds, memory and counts into the output.
step <- function(sce, name, key, verb) {
    invisible(gc())
    resetPeak()
    before <- memory("VmRSS")
    times <- system.time(sce <- verb(sce))
    found <- c(
        "seconds" = times[["elapsed"]],
        "CPU seconds" = sum(times[c("user.self", "sys.self")]),
        "KiB per cell above the start" =
            1024 * (memory("VmHWM") - before) / ncol(sce),
        countsOf(sce, key)
    )
    utils::write.table(
        data.frame(ncol(sce), name, names(found), unname(found)), child,
        append = TRUE, sep = "\t", row.names = FALSE, col.names = FALSE,
        quote = FALSE
    )
    sce
}

allSteps <- function(n) {
    suppressMessages({
        library(SingleCellExperiment)
        library(fatecast)
    })
    options(fatecast.threads = threads)
    sce <- SingleCellExperiment(
        list(logcounts = Matrix::sparseMatrix(
            i = integer(), j = integer(), x = numeric(), dims = c(1L, n)
        )),
        reducedDims = list(PCA = readCells(n))
    )
    colnames(sce) <- paste0("cell", seq_len(n))
    sce$branch <- readBranch()[seq_len(n)]
    for (search in c("exact", "approximate")) {
        name <- paste("neighbours,", search)
        sce <- step(sce, name, "neighbors", function(x) buildNeighbors(
            x, NEIGHBORS, use_rep = "PCA", transformer = search
        ))
    }
    sce <- step(sce, "leiden", "leiden", clusterLeiden)
    sce <- step(sce, "umap, 200 epochs", "UMAP", function(x) {
        embedUMAP(x, maxiter = 200)
    })
    sce <- step(sce, "diffusion map", "DiffMap", computeDiffusionMap)
    step(sce, "paga", "paga", function(x) computePAGA(x, groups = "branch"))
}

shown <- function(v) {
    format(signif(v, 3), trim = TRUE, big.mark = ",", scientific = FALSE)
}

# Steps and measures in rows, cells in columns, and the exponent of the growth
# from the smallest to the largest number of cells.
writeTable <- function(file) {
    rows <- utils::read.delim(
        file, header = FALSE, col.names = c("n", "step", "measure", "value")
    )
    names <- unique(paste(rows$step, rows$measure, sep = " | "))
    wide <- t(vapply(names, function(name) {
        part <- rows[paste(rows$step, rows$measure, sep = " | ") == name, ]
        part$value[match(sizes, part$n)]
    }, numeric(length(sizes))))
    ends <- range(sizes)
    power <- log(wide[, length(sizes)] / wide[, 1L]) / log(ends[2L] / ends[1L])
    head <- c("step", "measure", shown(sizes), "exponent")
    writeLines(c(
        paste0("| ", paste(head, collapse = " | "), " |"),
        paste0("| --- | --- |", strrep(" ---: |", length(sizes) + 1L)),
        paste0(
            "| ", names, " | ",
            apply(wide, 1L, function(v) paste(shown(v), collapse = " | ")),
            " | ", format(round(power, 2), nsmall = 2), " |"
        )
    ))
}

if (nzchar(child)) {
    invisible(allSteps(sizes))
} else {
    output <- tempfile()
    for (n in sort(sizes)) {
        Sys.setenv(FATECAST_SCALING_OUTPUT = output)
        system2(file.path(R.home("bin"), "Rscript"), c(
            "--vanilla", shQuote(c(script, folder, cells, threads, n))
        ))
    }
    sizes <- sort(sizes)
    writeTable(output)
}
