# A simulated tissue with its graph; the note on few genes is not of interest.
tissue <- function() {
    once("tissue", buildNeighbors(simulateDifferentiation(
        n_cells = 300, n_genes = 143, random_state = 2, n_threads = 2
    ), n_neighbors = 15, n_threads = 2))
}

score <- function(x, ...) suppressMessages(computeCytotrace(x, ...))

# The definition, dense.
slowScore <- function(E, M, n_genes, aggregate) {
    counts <- colSums(E > 0)
    r <- suppressWarnings(stats::cor(t(E), counts)[, 1])
    top <- utils::head(order(-r), n_genes)
    s <- unname(apply(M[top, ], 2L, aggregate))
    list(
        counts = counts, corr = unname(r), top = rownames(E)[top],
        score = (s - min(s)) / diff(range(s))
    )
}

assays <- function(x) {
    list(
        E = as.matrix(SummarizedExperiment::assay(x, "logcounts")),
        M = as.matrix(SummarizedExperiment::assay(x, "Ms"))
    )
}

aggregations <- list(
    mean = mean, median = stats::median,
    gmean = function(v) exp(mean(log(v))),
    hmean = function(v) if (any(v == 0)) 0 else 1 / mean(1 / v)
)

test_that("every aggregation is what its definition says (K46)", {
    x <- tissue()
    a <- assays(x)
    for (name in names(aggregations)) {
        slow <- slowScore(a$E, a$M, 20, aggregations[[name]])
        y <- score(x, aggregation = name, n_genes = 20)
        expect_equal(y$ct_score, slow$score, tolerance = 1e-12)
        expect_equal(y$ct_pseudotime, 1 - slow$score, tolerance = 1e-12)
        expect_identical(y$ct_num_exp_genes, unname(as.integer(slow$counts)))
        columns <- SummarizedExperiment::rowData(y)
        expect_equal(columns$ct_gene_corr, slow$corr, tolerance = 1e-12)
        expect_setequal(rownames(y)[columns$ct_correlates], slow$top)
    }
})

test_that("what was done is recorded (K46)", {
    x <- tissue()
    expect_warning(
        y <- score(x), class = "fatecast_warning_dropped"
    ) |> (\(w) expect_identical(w$found, 143L))()
    expect_identical(parameters(y, "ct_params"), list(
        assay = "Ms", aggregation = "mean", n_genes = 143L,
        expression = "logcounts", experiment = NULL
    ))
    expect_identical(range(y$ct_pseudotime), c(0, 1))
    expect_true(all(abs(
        SummarizedExperiment::rowData(y)$ct_gene_corr
    ) <= 1))
    expect_true(all(SummarizedExperiment::rowData(y)$ct_correlates))
    expect_identical(
        sum(SummarizedExperiment::rowData(
            score(x, n_genes = 12)
        )$ct_correlates), 12L
    )
    expect_message(
        computeCytotrace(x, n_genes = 12), class = "fatecast_message"
    )
    # Twice is no trouble, and another run replaces the first.
    again <- expectQuiet(score(score(x, n_genes = 12), n_genes = 13))
    expect_identical(parameters(again, "ct_params")$n_genes, 13L)
})

test_that("the score goes with time", {
    y <- score(tissue(), n_genes = 40)
    expect_gt(abs(stats::cor(y$ct_pseudotime, y$pseudotime)), 0.3)
})

test_that("the kernel runs along it", {
    x <- tissue()
    k <- CytoTRACEKernel(x)
    expect_s4_class(k, "PseudotimeKernel")
    e <- expectFailure(
        computeTransitionMatrix(k), "not_computed",
        list(key = "ct_pseudotime")
    )
    expect_match(
        paste(conditionMessage(e), collapse = " "), "computeCytotrace(kernel)",
        fixed = TRUE
    )
    k <- score(k, n_genes = 40)
    expect_s4_class(k, "CytoTRACEKernel")
    y <- score(x, n_genes = 40)
    expect_identical(container(k)$ct_pseudotime, y$ct_pseudotime)
    by_column <- PseudotimeKernel(y, "ct_pseudotime")
    for (scheme in c("hard", "soft")) {
        m <- transitionMatrix(computeTransitionMatrix(k, scheme))
        expect_identical(
            m, transitionMatrix(computeTransitionMatrix(by_column, scheme))
        )
        # A time that is there is read.
        expect_identical(m, transitionMatrix(
            computeTransitionMatrix(CytoTRACEKernel(y), scheme)
        ))
    }
    back <- CytoTRACEKernel(y, backward = TRUE)
    y$turned <- max(y$ct_pseudotime) - y$ct_pseudotime
    expect_identical(
        transitionMatrix(back), transitionMatrix(PseudotimeKernel(y, "turned"))
    )
    # Another score: the matrix of the first is gone.
    done <- computeTransitionMatrix(k)
    expect_output(show(score(done, n_genes = 30)), "not computed")
    stored <- writeToObject(done)
    back <- fromObject(stored, "T_fwd")
    expect_s4_class(back, "CytoTRACEKernel")
    expect_identical(transitionMatrix(back), transitionMatrix(done))
})

test_that("containers, storage and blocks do not matter", {
    x <- tissue()
    first <- score(x, n_genes = 25)
    same <- function(y) {
        expect_equal(y$ct_score, first$ct_score, tolerance = 1e-12)
        expect_identical(y$ct_num_exp_genes, first$ct_num_exp_genes)
    }
    for (name in c("logcounts", "Ms")) {
        dense <- x
        SummarizedExperiment::assay(dense, name) <- as.matrix(
            SummarizedExperiment::assay(x, name)
        )
        same(score(dense, n_genes = 25))
        sparse <- x
        SummarizedExperiment::assay(sparse, name) <- methods::as(as.matrix(
            SummarizedExperiment::assay(x, name)
        ), "CsparseMatrix")
        same(score(sparse, n_genes = 25))
    }
    seurat <- seuratFrom(x)
    made <- score(seurat, n_genes = 25)
    expect_equal(unname(made$ct_score), first$ct_score, tolerance = 1e-12)
    expect_identical(
        .readFeatureData(made, "ct_correlates"),
        SummarizedExperiment::rowData(first)$ct_correlates
    )
    skip_if_not_installed("DelayedArray")
    for (keep in c(identity, as.matrix)) {
        disk <- x
        for (name in c("logcounts", "Ms")) {
            SummarizedExperiment::assay(disk, name) <-
                DelayedArray::DelayedArray(keep(
                    SummarizedExperiment::assay(x, name)
                ))
        }
        same(score(disk, n_genes = 25))
    }
})

test_that("renamed genes and permuted cells change nothing else", {
    x <- tissue()
    first <- score(x, n_genes = 25)
    at <- withr::with_seed(4, sample(ncol(x)))
    expect_equal(
        suppressWarnings(score(x[, at], n_genes = 25))$ct_score,
        first$ct_score[at], tolerance = 1e-10
    )
    rownames(x) <- paste0("other", seq_len(nrow(x)))
    expect_identical(score(x, n_genes = 25)$ct_score, first$ct_score)
})

test_that("what cannot be computed is said", {
    x <- tissue()
    e <- expectFailure(score(x, assay = "imputed"), "missing_key")
    expect_match(paste(conditionMessage(e), collapse = " "), "Ms")
    expectFailure(score(x, expression = "lost"), "missing_key")
    expectFailure(score(x, n_genes = 0), "range")
    expectFailure(score(x, n_genes = 2.5), "type")
    expectFailure(score(x, aggregation = "sum"), "range")
    expectFailure(score(x, genes = 3), "unknown_argument")
    expectFailure(score(matrix(1, 3, 3)), "container_class")
    expectFailure(score(ConnectivityKernel(x)), "container_class")
    put <- function(name, i, j, value) {
        m <- as.matrix(SummarizedExperiment::assay(x, name))
        m[i, j] <- value
        SummarizedExperiment::assay(x, name) <- m
        x
    }
    cell <- colnames(x)[9]
    expectFailure(
        score(put("logcounts", 3, 9, NA), n_genes = 20), "range",
        list(cells = cell)
    )
    expectFailure(
        suppressWarnings(score(put("Ms", 3, 9, Inf))), "range",
        list(cells = cell)
    )
    flat <- put("logcounts", 7, TRUE, 0)
    e <- expectFailure(score(flat, n_genes = 143), "range")
    expect_identical(e$features, rownames(x)[7])
    expectQuiet(score(flat, n_genes = 142))
    negative <- put("Ms", TRUE, 9, -1)
    expectFailure(score(negative, n_genes = 20, aggregation = "gmean"), "range")
    expectFailure(score(negative, n_genes = 20, aggregation = "hmean"), "range")
    expectQuiet(score(negative, n_genes = 20))
    e <- expectFailure(score(put("Ms", TRUE, TRUE, 1), n_genes = 20), "range")
    expect_match(paste(conditionMessage(e), collapse = " "), "tell cells apart")
})

test_that("the same bits on any number of threads", {
    x <- tissue()
    expectSameBits(function(threads) {
        y <- score(x, n_genes = 30, n_threads = threads)
        list(
            y$ct_score, y$ct_num_exp_genes,
            SummarizedExperiment::rowData(y)$ct_gene_corr
        )
    })
})

test_that("the pancreas gives the peer's score and matrix", {
    skip_if_no_reference()
    data <- readReference()
    sce <- withReferenceGraph(data$sce, data$reference)
    peer <- data$reference$cytotrace
    made <- score(sce)
    # The peer takes means in single precision.
    expect_lt(max(abs(made$ct_score - peer$score)), 5e-6)
    expect_lt(max(abs(made$ct_pseudotime - peer$pseudotime)), 5e-6)
    # Order decides, so that its own times are needed for the matrix.
    sce$ct_pseudotime <- peer$pseudotime
    m <- transitionMatrix(
        computeTransitionMatrix(CytoTRACEKernel(sce), "soft")
    )
    expect_lt(
        largestDifference(m, data$reference$transition$cytotrace_soft), 1e-6
    )
})
