run <- function(x, ...) {
    transitionMatrix(computeTransitionMatrix(PseudotimeKernel(x, "time"), ...))
}

test_that("both schemes give what an obvious one gives, scaled by rows", {
    for (symmetric in c(TRUE, FALSE)) {
        d <- timeGraph(symmetric = symmetric)
        sce <- suppressWarnings(timeSCE(d))
        made <- function(...) plain(suppressWarnings(run(sce, ...)))
        hard <- slowHard(d$conn, d$time, 0.3)
        expect_equal(
            made(), unname(rowStochastic(hard)), tolerance = 1e-14
        )
        soft <- slowSoft(d$conn, d$time, 5, 0.4)
        expect_equal(
            made(threshold_scheme = "soft", b = 5, nu = 0.4),
            unname(rowStochastic(soft)), tolerance = 1e-13
        )
    }
})

test_that("a scheme by name, as an object and as a function is one", {
    sce <- timeSCE()
    expect_identical(run(sce, "hard"), run(sce, HardThreshold()))
    expect_identical(
        run(sce, "soft", b = 3), run(sce, SoftThreshold(b = 3))
    )
    hard <- function(t, u, w, frac_to_keep, ...) {
        first <- rank(-w, ties.method = "first") <=
            min(30, floor(length(w) * frac_to_keep))
        ifelse(first | t <= u, w, 0)
    }
    wrapped <- function(t, u, w, share, ...) hard(t, u, w, share)
    expect_identical(run(sce, wrapped, share = 0.3), run(sce, "hard"))
})

test_that("a constant function gives uniform rows (K45)", {
    d <- timeGraph()
    m <- plain(run(timeSCE(d), function(t, u, w, ...) rep(1, length(w))))
    expect_equal(m, unname(rowStochastic((d$conn > 0) * 1)))
})

test_that("a class of one's own has its own method", {
    methods::setClass("Latest", contains = "ThresholdScheme", where = globalenv())
    methods::setMethod("biasKnn", "Latest", function(scheme, conn, pseudotime,
                                                     ..., n_threads = NULL) {
        conn * outer(pseudotime, pseudotime, "<=")
    }, where = globalenv())
    on.exit({
        methods::removeMethod("biasKnn", "Latest", where = globalenv())
        methods::removeClass("Latest", where = globalenv())
    })
    sce <- timeSCE()
    scheme <- methods::new("Latest")
    expect_identical(
        run(sce, scheme, empty_rows = "self"),
        run(sce, "hard", frac_to_keep = 0, empty_rows = "self")
    )
    k <- computeTransitionMatrix(
        PseudotimeKernel(sce, "time"), scheme, empty_rows = "self"
    )
    expect_identical(parameters(k)$threshold_scheme, scheme)
    expectFailure(run(sce, scheme), "disconnected")
})

test_that("parameters are recorded after defaults", {
    k <- PseudotimeKernel(timeSCE(), "time")
    p <- parameters(computeTransitionMatrix(k))
    expect_identical(p[c("threshold_scheme", "frac_to_keep", "rescale")], list(
        threshold_scheme = "hard", frac_to_keep = 0.3, rescale = FALSE
    ))
    p <- parameters(computeTransitionMatrix(k, "soft", rescale = TRUE))
    expect_identical(p[c("threshold_scheme", "b", "nu", "rescale")], list(
        threshold_scheme = "soft", b = 10, nu = 0.5, rescale = TRUE
    ))
    expect_identical(p$empty_rows, "error")
    expect_identical(p$time_key, "time")
    fun <- function(t, u, w, ...) w
    p <- parameters(computeTransitionMatrix(k, fun, extra = 2))
    expect_identical(p$threshold_scheme, fun)
    expect_identical(p$extra, 2)
})

test_that("backward is forward on turned time (K30)", {
    d <- timeGraph()
    sce <- timeSCE(d)
    back <- PseudotimeKernel(sce, "time", backward = TRUE)
    sce$time <- 1 - d$time
    for (scheme in c("hard", "soft")) {
        expect_equal(
            transitionMatrix(computeTransitionMatrix(back, scheme)),
            run(sce, scheme), tolerance = 1e-12
        )
    }
    sce$time <- d$time
    expect_identical(
        transitionMatrix(invertKernel(PseudotimeKernel(sce, "time"))),
        transitionMatrix(back)
    )
})

test_that("a time that is not scaled is told, and can be scaled", {
    d <- timeGraph()
    minutes <- timeSCE(d, scale = 10000)
    e <- expectFailure(run(minutes, "soft"), "disconnected")
    expect_true("c" %in% substr(e$cells, 1L, 1L))
    text <- paste(conditionMessage(e), collapse = " ")
    expect_match(text, "rescale = TRUE", fixed = TRUE)
    expect_match(text, "`time` runs from", fixed = TRUE)
    w <- expect_warning(
        run(minutes, "soft", empty_rows = "self"),
        class = "fatecast_warning_dropped"
    )
    past <- sum(d$conn > 0 & outer(d$time, d$time, ">"))
    expect_identical(w$column, "time")
    expect_equal(w$n_edges, past)
    expect_equal(w$range, range(d$time) * 10000)
    fall <- max((outer(d$time, d$time, "-"))[d$conn > 0])
    expect_equal(w$largest_fall, fall * 10000)
    scaled <- expectQuiet(run(minutes, "soft", rescale = TRUE))
    unit <- timeSCE(list(
        conn = d$conn, time = (d$time - min(d$time)) / diff(range(d$time))
    ))
    expect_equal(scaled, run(unit, "soft"), tolerance = 1e-10)
    # The hard scheme knows the order only.
    expect_identical(run(minutes, "hard"), run(timeSCE(d), "hard"))
    unit$time <- 1
    expectFailure(run(unit, "soft", rescale = TRUE), "range")
    expectQuiet(run(unit, "soft"))
})

test_that("cells that lose all edges are named, or absorb", {
    d <- timeGraph()
    sce <- timeSCE(d)
    top <- vapply(seq_along(d$time), function(i) {
        all(d$time[d$conn[i, ] > 0] < d$time[i])
    }, logical(1))
    e <- expectFailure(run(sce, frac_to_keep = 0), "disconnected", list(
        cells = utils::head(rownames(d$conn)[top], 10L), count = sum(top) * 1
    ))
    expect_match(paste(conditionMessage(e), collapse = " "), "frac_to_keep")
    k <- computeTransitionMatrix(
        PseudotimeKernel(sce, "time"), frac_to_keep = 0, empty_rows = "self"
    )
    m <- transitionMatrix(k)
    expect_equal(unname(Matrix::diag(m)), as.double(top))
    expect_equal(unname(Matrix::rowSums(m)), rep(1, 60), tolerance = 1e-12)
    expect_identical(k@run$absorbing_cells, sum(top))
})

test_that("last cells without stored neighbours are named", {
    d <- timeGraph()
    d$conn[60, ] <- d$conn[, 60] <- 0
    e <- expectFailure(run(timeSCE(d)), "disconnected", list(cells = "c60"))
})

test_that("pieces, direction and symmetry are told", {
    d <- timeGraph()
    expectQuiet(run(timeSCE(d)))
    two <- d
    half <- rep(c(TRUE, FALSE), each = 30)
    two$conn[outer(half, half, "!=")] <- 0
    w <- expect_warning(
        run(timeSCE(two)), class = "fatecast_warning_disconnected"
    )
    expect_equal(w$components, 2)
    w <- expect_warning(
        run(
            timeSCE(d), frac_to_keep = 0, empty_rows = "self",
            check_irreducibility = TRUE
        ),
        class = "fatecast_warning_disconnected"
    )
    expect_match(conditionMessage(w), "not irreducible")
    flat <- d
    flat$time[] <- 1
    expectQuiet(run(timeSCE(flat), check_irreducibility = TRUE))
    w <- expect_warning(
        run(timeSCE(timeGraph(symmetric = FALSE))),
        class = "fatecast_warning_not_symmetric"
    )
    expect_gt(w$norm, 1e-4)
    silent <- PseudotimeKernel(
        timeSCE(timeGraph(symmetric = FALSE)), "time", check_symmetric = FALSE
    )
    expectQuiet(computeTransitionMatrix(silent))
})

test_that("all containers give the same", {
    d <- timeGraph(200L)
    sce <- timeSCE(d)
    first <- run(sce)
    bare <- PseudotimeKernel(d$conn, time_key = d$time)
    expect_identical(transitionMatrix(bare), first)
    skip_if_not_installed("SeuratObject")
    seurat <- suppressWarnings(SeuratObject::CreateSeuratObject(
        methods::as(SummarizedExperiment::assay(sce), "CsparseMatrix"),
        meta.data = data.frame(time = d$time, row.names = rownames(d$conn))
    ))
    seurat <- .writeGraph(seurat, "connectivities", .asGeneral(d$conn))
    expect_identical(run(seurat), first)
})

test_that("times and arguments are checked before any work", {
    d <- timeGraph()
    sce <- timeSCE(d)
    sce$time[5] <- NA
    expectFailure(run(sce), "range", list(cells = "c5"))
    sce$time <- as.character(d$time)
    expectFailure(run(sce), "type")
    k <- PseudotimeKernel(timeSCE(d), "time")
    e <- expectFailure(
        computeTransitionMatrix(k, threshold_scheme = "medium"), "range"
    )
    expect_identical(e$choices, c("hard", "soft"))
    expectFailure(computeTransitionMatrix(k, frac_to_keep = 1.2), "range")
    expectFailure(computeTransitionMatrix(k, "soft", b = -1), "range")
    expectFailure(computeTransitionMatrix(k, "soft", nu = 0), "range")
    expectFailure(computeTransitionMatrix(k, 3), "type")
    expectFailure(computeTransitionMatrix(k, share = 3), "unknown_argument")
    expectFailure(PseudotimeKernel(timeSCE(d), d$time), "type")
    expectFailure(PseudotimeKernel(d$conn, d$time[-1]), "shape")
    expectFailure(PseudotimeKernel(d$conn, c(NA, d$time[-1])), "range")
    expectFailure(PseudotimeKernel(d$conn, stats::setNames(
        d$time, rev(rownames(d$conn))
    )), "container_cells")
    # A failure leaves what was there.
    made <- computeTransitionMatrix(k)
    try(computeTransitionMatrix(made, frac_to_keep = 2), silent = TRUE)
    expect_identical(made, computeTransitionMatrix(k) |> (\(x) {
        x@run <- made@run
        x
    })())
})

test_that("permuting cells permutes, scaling the graph changes nothing", {
    for (seed in seq_len(5)) {
        d <- timeGraph(40L, seed = seed)
        # Without ties in weight, which go by position.
        d$conn <- d$conn * (1 + outer(seq_len(40), seq_len(40)) %% 37 / 1e4)
        d$conn <- pmax(d$conn, t(d$conn))
        at <- withr::with_seed(seed, sample(40L))
        moved <- list(conn = d$conn[at, at], time = d$time[at])
        for (scheme in c("hard", "soft")) {
            m <- run(timeSCE(d), scheme)
            expect_equal(
                plain(run(timeSCE(moved), scheme)), plain(m)[at, at],
                tolerance = 1e-12
            )
            large <- list(conn = d$conn * 8, time = d$time)
            expect_identical(run(timeSCE(large), scheme), m)
        }
    }
})

test_that("the same bits on any number of threads", {
    sce <- timeSCE(timeGraph(2500L))
    k <- PseudotimeKernel(sce, "time")
    for (scheme in c("hard", "soft")) {
        expectSameBits(function(threads) {
            transitionMatrix(computeTransitionMatrix(
                k, scheme, n_threads = threads
            ))
        })
    }
})

test_that("the pancreas matrices are those of the peer", {
    skip_if_no_reference()
    data <- readReference()
    sce <- withReferenceGraph(data$sce, data$reference)
    peer <- data$reference$transition
    k <- PseudotimeKernel(sce, "dpt_pseudotime")
    found <- function(scheme) {
        transitionMatrix(computeTransitionMatrix(k, scheme))
    }
    expect_lt(largestDifference(found("hard"), peer$pseudotime_hard), 1e-6)
    expect_lt(largestDifference(found("soft"), peer$pseudotime_soft), 1e-6)
})
