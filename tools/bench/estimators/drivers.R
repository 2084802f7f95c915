# Lineage drivers here and in CellRank, on the same data.
# Rscript drivers.R <folder> <threads> [python]
#
# Prints rows of task, program, seconds, CPU seconds, result. Data are made in
# <folder> on the first call: expression with a tenth of the entries, 10,000
# cells, and a chain in which each cell steps to its fates at once, so that fate
# probabilities are the same in both programs. With the Python of an environment
# that holds CellRank, drivers.py runs the same tasks. Results in which the
# programs must agree: the mean size of the correlations, and for the
# permutation test the mean p-value.

arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(
    "usage: drivers.R <folder> <threads> [python]" = length(arguments) >= 2L
)
folder <- arguments[1L]
threads <- as.integer(arguments[2L])
here <- dirname(sub(
    "--file=", "", grep("^--file=", commandArgs(), value = TRUE)
))
suppressMessages({
    library(Matrix)
    library(SingleCellExperiment)
    library(fatecast)
})

CELLS <- 10000L
TASKS <- list(
    fisher = list(genes = 20000L, lineages = 5L),
    permutations = list(genes = 2000L, lineages = 3L)
)
PERMUTATIONS <- 1000L

pathTo <- function(task, part) file.path(folder, paste0(task, ".", part))

makeData <- function(task) {
    size <- TASKS[[task]]
    if (file.exists(pathTo(task, "fates.f64"))) return(invisible())
    set.seed(1)
    fates <- matrix(stats::rgamma(CELLS * size$lineages, 0.5), CELLS)
    fates <- fates / rowSums(fates)
    own <- seq_len(size$lineages)
    fates[own, ] <- diag(size$lineages)
    m <- rsparsematrix(
        size$genes, CELLS, 0.1, rand.x = function(n) stats::rexp(n) + 0.1
    )
    writeBin(m@p, pathTo(task, "indptr.i32"))
    writeBin(m@i, pathTo(task, "indices.i32"))
    # Every third gene is the stronger the likelier the first fate is.
    linked <- m@i %% 3L == 0L
    weight <- rep(0.5 + fates[, 1L], diff(m@p))
    writeBin(m@x * ifelse(linked, weight, 1), pathTo(task, "values.f64"))
    writeBin(as.vector(fates), pathTo(task, "fates.f64"))
}

readData <- function(task) {
    size <- TASKS[[task]]
    read <- function(part, what, width) {
        file <- pathTo(task, part)
        readBin(file, what, file.size(file) / width)
    }
    m <- methods::new("dgCMatrix",
        p = read("indptr.i32", "integer", 4),
        i = read("indices.i32", "integer", 4),
        x = read("values.f64", "double", 8), Dim = c(size$genes, CELLS)
    )
    dimnames(m) <- list(
        paste0("gene", seq_len(size$genes)), paste0("cell", seq_len(CELLS))
    )
    list(m = m, fates = matrix(read("fates.f64", "double", 8), CELLS))
}

fitOf <- function(data) {
    sce <- SingleCellExperiment(list(logcounts = data$m))
    k <- ncol(data$fates)
    chain <- sparseMatrix(
        rep(seq_len(CELLS), k), rep(seq_len(k), each = CELLS),
        x = as.vector(data$fates), dims = c(CELLS, CELLS),
        dimnames = list(colnames(sce), colnames(sce))
    )
    states <- stats::setNames(as.list(seq_len(k)), LETTERS[seq_len(k)])
    fit <- setTerminalStates(GPCCA(drop0(chain), container = sce), states)
    computeFateProbabilities(fit, n_threads = threads)
}

run <- function(task) {
    makeData(task)
    fit <- fitOf(readData(task))
    call <- function() {
        if (task == "fisher") {
            computeLineageDrivers(fit, n_threads = threads)
        } else {
            computeLineageDrivers(
                fit, method = "perm_test", n_perms = PERMUTATIONS,
                random_state = 1, n_threads = threads
            )
        }
    }
    if (task == "fisher") call()
    invisible(gc())
    spent <- system.time(done <- call())
    table <- drivers(done)
    part <- if (task == "fisher") "_corr$" else "_pval$"
    values <- as.matrix(table[grepl(part, names(table))])
    writeLines(paste(
        task, "fatecast", format(spent[["elapsed"]]),
        format(sum(spent[c("user.self", "sys.self")])),
        format(mean(abs(values)), digits = 6), sep = "\t"
    ))
}

for (task in names(TASKS)) {
    run(task)
    if (length(arguments) > 2L) {
        system2(arguments[3L], c(
            file.path(here, "drivers.py"), folder, threads, task
        ))
    }
}
