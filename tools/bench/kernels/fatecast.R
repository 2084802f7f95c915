# One task of the kernel benchmarks here.
# Rscript fatecast.R <folder> <cells> <task> <seed> <threads> <output.tsv>
#
# The tasks of peer.py on the same data, as SingleCellExperiment objects that
# hold the graph. Each runs once on little and is then measured once: "seconds"
# are those of the call on a kernel that exists, "whole" also those of making
# it. Rows of the output: program, task, cells, seed, measure, value.

arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(
    "usage: fatecast.R <folder> <cells> <task> <seed> <threads> <output.tsv>" =
        length(arguments) == 6L
)
folder <- arguments[1L]
cells <- as.integer(arguments[2L])
task <- arguments[3L]
seed <- as.integer(arguments[4L])
threads <- as.integer(arguments[5L])
output <- arguments[6L]
here <- dirname(sub(
    "--file=", "", grep("^--file=", commandArgs(), value = TRUE)
))
source(file.path(here, "..", "common.R"))
suppressMessages({
    library(Matrix)
    library(SingleCellExperiment)
    library(fatecast)
})
# Moments, velocity and variance of all cells and genes are dense results.
options(fatecast.threads = threads, fatecast.memory_limit = 32 * 2^30)

SMALL <- 2000L
GENES <- 2000L
STEPS <- 1000L
WALKS <- 1000L

# Two numbers in which equal transition matrices agree.
noteChain <- function(kernel) {
    chain <- transitionMatrix(kernel)
    note("entries", sum(chain@x != 0))
    note("sum of squares", sum(chain@x^2))
}

# Genes x cells by columns are the file's cells x genes by rows.
readCounts <- function(name, n) {
    part <- function(what) paste0(name, "_%d.", what)
    p <- readValues(part("indptr.i32"), "integer", n + 1L)
    methods::new(
        "dgCMatrix",
        p = p, i = readValues(part("indices.i32"), "integer", p[n + 1L]),
        x = readValues(part("data.f32"), "double", p[n + 1L], 4L),
        Dim = c(GENES, n),
        Dimnames = list(
            paste0("gene", seq_len(GENES)), paste0("cell", seq_len(n))
        )
    )
}

# An object of the first `n` cells with the stored graph, or with their own
# where these are not all: the stored one would leave cells without neighbours.
withGraph <- function(n, assays = list()) {
    if (!length(assays)) {
        assays <- list(logcounts = sparseMatrix(
            i = integer(), j = integer(), x = numeric(), dims = c(1L, n),
            dimnames = list("gene1", paste0("cell", seq_len(n)))
        ))
    }
    graph <- if (n == cells) {
        readGraph()
    } else {
        near <- cellRows("tree_%d.x.f64", 50L, n)
        buildNeighbors(near, NEIGHBORS)$connectivities
    }
    dimnames(graph) <- rep(list(colnames(assays[[1L]])), 2L)
    sce <- SingleCellExperiment(assays)
    sce$time <- readValues("pseudotime_%d.f64", "double", n)
    fatecast:::.writeGraph(sce, "connectivities", graph)
}

# `make` and `call` on few cells, then measured on all.
onTree <- function(object, make, call) {
    invisible(call(make(object(SMALL))))
    x <- object(cells)
    timed(call, function() make(x))
}

velocityPancreas <- function(model) {
    sce <- readRDS(pathTo("pancreas.rds"))
    sce <- buildNeighbors(sce, n_neighbors = 30, n_pcs = 30)
    make <- function() VelocityKernel(sce)
    call <- function(k) {
        computeTransitionMatrix(k, model = model)
    }
    invisible(call(make()))
    noteChain(timed(call, make))
}

velocityTree <- function() {
    object <- function(n) {
        sce <- withGraph(n)
        reducedDim(sce, "X") <- cellRows("tree_%d.x.f64", 50L, n)
        reducedDim(sce, "V") <- cellRows("velocity_%d.f64", 50L, n)
        sce
    }
    noteChain(onTree(object, function(x) {
        VelocityKernel(x, attr = "obsm", xkey = "X", vkey = "V")
    }, computeTransitionMatrix))
}

pseudotime <- function(scheme) {
    noteChain(onTree(withGraph, function(x) {
        PseudotimeKernel(x, time_key = "time")
    }, function(k) {
        computeTransitionMatrix(k, threshold_scheme = scheme)
    }))
}

cytotrace <- function() {
    object <- function(n) {
        x <- readCounts("spliced", n)
        x@x <- log1p(x@x)
        withGraph(n, list(logcounts = x))
    }
    k <- onTree(object, CytoTRACEKernel, function(k) {
        computeCytotrace(k, assay = "logcounts")
    })
    time <- container(k)$ct_pseudotime
    note("mean pseudotime", mean(time))
    note("sd of pseudotime", sqrt(mean((time - mean(time))^2)))
}

walks <- function() {
    walked <- onTree(withGraph, function(x) {
        computeTransitionMatrix(ConnectivityKernel(x))
    }, function(k) {
        plotRandomWalksData(
            k, n_sims = WALKS, max_iter = STEPS, random_state = seed,
            basis = NULL
        )
    })
    note("walks simulated", WALKS)
    note("cells per walk", nrow(unique(walked[c("walk", "cell")])) / WALKS)
}

rnaVelocity <- function() {
    object <- function(n) {
        withGraph(n, list(
            spliced = readCounts("spliced", n),
            unspliced = readCounts("unspliced", n)
        ))
    }
    step <- new.env()
    found <- onTree(object, identity, function(x) {
        step$moments <- system.time(x <- computeMoments(x))[["elapsed"]]
        step$fit <- system.time(
            x <- estimateVelocity(x, mode = "stochastic")
        )[["elapsed"]]
        x
    })
    note("moments, seconds", step$moments)
    note("fit, seconds", step$fit)
    bytes <- vapply(
        setdiff(assayNames(found), c("spliced", "unspliced")),
        function(name) {
            as.double(utils::object.size(assay(found, name, FALSE)))
        }, 1
    )
    note("result (MiB)", sum(bytes) / 2^20)
    note("velocity genes", sum(rowData(found)$velocity_genes))
    note("median gamma", stats::median(rowData(found)$velocity_gamma))
}

coupling <- function() {
    few <- min(10000L, cells %/% 4L)
    points <- function(m) {
        read <- function(name) {
            file <- pathTo(sprintf("%s_%d.f64", name, few))
            x <- readBin(file, "double", few * 30L, endian = "little")
            matrix(x, few, 30L, byrow = TRUE)[seq_len(m), ]
        }
        x <- rbind(read("early"), read("late"))
        sce <- SingleCellExperiment(
            list(logcounts = sparseMatrix(
                i = integer(), j = integer(), x = numeric(),
                dims = c(1L, 2L * m)
            )),
            reducedDims = list(PCA = x)
        )
        colnames(sce) <- paste0("cell", seq_len(2L * m))
        sce$day <- factor(rep(c(0, 1), each = m))
        sce
    }
    call <- function(x) {
        computeCouplings(
            x, "day", epsilon = 0.05, lambda1 = 1, lambda2 = 50, n_pcs = 30,
            random_state = seed
        )
    }
    invisible(call(points(500L)))
    x <- points(few)
    found <- timed(call, function() x)
    certificate <- attr(found, "diagnostics")
    note("iterations", certificate$iterations[1L])
    note("mass", certificate$mass[1L])
    note("relative gap", certificate$relative_gap[1L])
    note("result (MiB)", as.double(utils::object.size(found)) / 2^20)
}

switch(task,
    "velocity-pancreas" = velocityPancreas("deterministic"),
    "velocity-stochastic-pancreas" = velocityPancreas("stochastic"),
    "velocity-tree" = velocityTree(),
    "pseudotime-hard" = pseudotime("hard"),
    "pseudotime-soft" = pseudotime("soft"),
    cytotrace = cytotrace(),
    walks = walks(),
    "rna-velocity" = rnaVelocity(),
    coupling = coupling()
)
