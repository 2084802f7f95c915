compute <- computeTransitionMatrix

chainOf <- function(x, couplings, ..., backward = FALSE) {
    k <- RealTimeKernel(x, "day", couplings, backward = backward)
    as.matrix(transitionMatrix(compute(k, ..., n_threads = 2)))
}

test_that("the chain is its definition, for every threshold", {
    sce <- course()
    for (pairs in list(sequentialDays, allDays)) {
        couplings <- courseCouplings(sce, pairs)
        for (threshold in list("auto", "auto_local", NULL, 0, 45.5, 80)) {
            expect_equal(
                chainOf(sce, couplings, threshold = threshold),
                slowCourse(sce, couplings, threshold), tolerance = 1e-13
            )
        }
    }
})

test_that("the chain is its definition, for every self transition", {
    sce <- course()
    for (pairs in list(sequentialDays, allDays)) {
        couplings <- courseCouplings(sce, pairs)
        for (self in c("connectivities", "diagonal", "uniform")) {
            expect_equal(
                chainOf(sce, couplings, self_transitions = self),
                slowCourse(sce, couplings, self = self), tolerance = 1e-13
            )
        }
        for (self in list("all", "1", c("2", "0"))) {
            expect_equal(
                chainOf(
                    sce, couplings, self_transitions = self, conn_weight = 0.3,
                    conn_kwargs = list(
                        n_neighbors = 5, density_normalize = FALSE
                    )
                ),
                slowCourse(
                    sce, couplings, self = self, weight = 0.3, n_neighbors = 5,
                    density_normalize = FALSE
                ), tolerance = 1e-13
            )
        }
    }
    expect_identical(
        chainOf(sce, couplings, self_transitions = c(2, 0), conn_weight = 0.3),
        chainOf(sce, couplings, self_transitions = factor(c(0, 2)),
            conn_weight = 0.3)
    )
})

test_that("a backward chain transposes the couplings and reverses time", {
    sce <- course()
    turned <- sce
    turned$day <- factor(3 - as.integer(as.character(sce$day)))
    for (pairs in list(sequentialDays, allDays)) {
        couplings <- courseCouplings(sce, pairs)
        mirrored <- lapply(couplings, t)
        names(mirrored) <- vapply(pairs, function(p) {
            paste(3 - as.integer(rev(p)), collapse = "_")
        }, "")
        for (self in list("connectivities", "diagonal", "all")) {
            weight <- if (identical(self, "all")) 0.4
            want <- slowCourse(turned, mirrored, 70, self, weight)
            found <- chainOf(
                sce, couplings, threshold = 70, self_transitions = self,
                conn_weight = weight, backward = TRUE
            )
            expect_equal(found, want, tolerance = 1e-13)
            sparse <- lapply(couplings, function(m) {
                m[m < stats::quantile(m, 0.5)] <- 0
                .asGeneral(m)
            })
            expect_equal(
                chainOf(sce, sparse, self_transitions = self,
                    conn_weight = weight, backward = TRUE),
                slowCourse(
                    turned, stats::setNames(
                        lapply(sparse, function(m) t(as.matrix(m))),
                        names(mirrored)
                    ), NULL, self, weight
                ), tolerance = 1e-13
            )
        }
    }
    k <- invertKernel(compute(RealTimeKernel(sce, "day", couplings)))
    expect_true(k@backward)
    expect_null(k@matrix)
    expect_identical(
        as.matrix(transitionMatrix(compute(k, threshold = 70))),
        chainOf(sce, couplings, threshold = 70, backward = TRUE)
    )
})

test_that("couplings are found by their names, whatever the order of cells", {
    sce <- course()
    # Every cell has one descendant: the chain must hold exactly these.
    cells <- split(colnames(sce), droplevels(sce$day))
    identity <- lapply(sequentialDays, function(p) {
        structure(diag(16), dimnames = unname(cells[p]))
    })
    names(identity) <- vapply(sequentialDays, paste, "", collapse = "_")
    want <- chainOf(sce, identity, self_transitions = "diagonal")
    for (at in 1:3) {
        expect_equal(
            want[cbind(cells[[at]], cells[[at + 1L]])], rep(1, 16)
        )
    }
    shuffle <- withr::with_seed(3, sample(ncol(sce)))
    mixed <- lapply(identity, function(m) m[16:1, c(5:16, 1:4)])
    found <- chainOf(sce[, shuffle], mixed, self_transitions = "diagonal")
    expect_identical(found[rownames(want), colnames(want)], want)
    unnamed <- lapply(identity, unname)
    expect_identical(
        chainOf(sce, unnamed, self_transitions = "diagonal"), want
    )
    couplings <- courseCouplings(sce)
    all <- function(x) {
        chainOf(x, couplings, self_transitions = "all", conn_weight = 0.2)
    }
    there <- all(sce)
    expect_equal(
        all(sce[, shuffle])[rownames(there), colnames(there)], there,
        tolerance = 1e-12
    )
})

test_that("dense, sparse and other matrices, and both containers, agree", {
    sce <- course()
    couplings <- lapply(courseCouplings(sce), function(m) m * (m > 0.2))
    want <- chainOf(sce, couplings, threshold = NULL)
    kinds <- c("CsparseMatrix", "RsparseMatrix", "TsparseMatrix")
    for (kind in kinds) {
        sparse <- lapply(couplings, function(m) as(.asGeneral(m), kind))
        expect_identical(chainOf(sce, sparse), want)
        # Sparse ones are taken as they are.
        expect_identical(chainOf(sce, sparse, threshold = 99), want)
    }
    dense <- lapply(couplings, function(m) {
        methods::as(methods::as(m, "unpackedMatrix"), "generalMatrix")
    })
    expect_identical(
        chainOf(sce, dense, threshold = 60),
        chainOf(sce, couplings, threshold = 60)
    )
    seurat <- courseSeurat(sce)
    expect_identical(chainOf(seurat, couplings, threshold = NULL), want)
})

test_that("an empty row becomes uniform, also when it is the first", {
    sce <- course()
    couplings <- courseCouplings(sce)
    couplings[[2L]][1L, ] <- 0
    first <- rownames(couplings[[2L]])[1L]
    w <- expect_warning(
        found <- chainOf(sce, couplings), class = "fatecast_warning_dropped"
    )
    expect_identical(w$cells, first)
    expect_identical(w$pair, c("1", "2"))
    day2 <- colnames(couplings[[2L]])
    expect_equal(found[first, day2], stats::setNames(rep(1 / 16, 16), day2))
    expect_equal(found, slowCourse(sce, couplings), tolerance = 1e-13)
    sparse <- lapply(couplings, .asGeneral)
    expect_warning(chainOf(sce, sparse), class = "fatecast_warning_dropped")
    # High percentiles empty rows; both warnings name their pair.
    expect_warning(
        expect_warning(expect_warning(
            found <- chainOf(sce, couplings, threshold = 97),
            class = "fatecast_warning_dropped"
        ), class = "fatecast_warning_dropped"),
        class = "fatecast_warning_dropped"
    )
    expect_equal(found, slowCourse(sce, couplings, 97), tolerance = 1e-13)
})

test_that("another threshold starts from the couplings that were given", {
    sce <- course()
    couplings <- courseCouplings(sce)
    k <- compute(RealTimeKernel(sce, "day", couplings), threshold = 90)
    again <- compute(k, threshold = NULL)
    expect_identical(
        as.matrix(transitionMatrix(again)),
        chainOf(sce, couplings, threshold = NULL)
    )
    expect_gt(length(again@matrix@x), length(k@matrix@x))
})

test_that("parameters and run say what was done", {
    sce <- course()
    couplings <- courseCouplings(sce)
    k <- compute(
        RealTimeKernel(sce, "day", couplings), threshold = "auto_local",
        self_transitions = "all", conn_weight = 0.25,
        conn_kwargs = list(n_neighbors = 4), n_threads = 1
    )
    p <- parameters(k)
    expect_identical(p$conn_weight, 0.25)
    expect_identical(p$conn_kwargs$n_neighbors, 4)
    expect_identical(p$conn_kwargs$density_normalize, TRUE)
    expect_identical(p$self_transitions, "all")
    expect_identical(p$pairs, names(couplings))
    expect_equal(
        unname(k@run$thresholds),
        unname(slowThresholds(couplings, "auto_local"))
    )
    expect_identical(
        sort(names(formals(RealTimeKernel))),
        sort(c("object", "backward", names(k@init)))
    )
    # A failing call leaves the kernel as it was.
    expectFailure(compute(k, threshold = 101), "range")
    expect_identical(parameters(k), p)
})

test_that("a class of one's own computes its couplings", {
    methods::setClass(
        "OneToOneKernel", contains = "RealTimeKernel", where = globalenv()
    )
    methods::setMethod(
        "computeCoupling", "OneToOneKernel",
        function(kernel, source, target, to = 1, ...) {
            time <- container(kernel)$day
            m <- matrix(0, sum(time == source), sum(time == target))
            m[, to] <- 1
            m
        }, where = globalenv()
    )
    sce <- course()
    k <- methods::new("OneToOneKernel", RealTimeKernel(sce, "day"))
    found <- compute(k, self_transitions = "diagonal", to = 3)
    third <- function(day) colnames(sce)[sce$day == day][3L]
    m <- transitionMatrix(found)
    expect_equal(
        unname(m[which(sce$day == 1), third(2)]), rep(1, 16)
    )
    expect_identical(parameters(found)$to, 3)
    all <- RealTimeKernel(sce, "day", policy = "triu")
    expect_identical(
        all@pairs$source, vapply(allDays, `[`, "", 1L)
    )
    e <- expectFailure(compute(all), "not_computed")
    expect_match(conditionMessage(e), "computeCouplings()", fixed = TRUE)
    expect_identical(e$pair, c("0", "1"))
})

test_that("what does not name two times is refused", {
    sce <- course()
    couplings <- courseCouplings(sce)
    make <- function(couplings, ...) RealTimeKernel(sce, "day", couplings, ...)
    named <- function(...) stats::setNames(couplings, c(...))
    e <- expectFailure(make(named("0_1", "1_2", "2_9")), "missing_key")
    expect_identical(e$key, "2_9")
    e <- expectFailure(make(couplings[-2L]), "missing_key")
    expect_identical(e$key, "1")
    e <- expectFailure(make(couplings[1:2]), "missing_key")
    expect_identical(e$key, "3")
    e <- expectFailure(make(named("0_1", "2_1", "2_3")), "range")
    expect_identical(e$pairs, "2_1")
    expectFailure(make(named("0_1", "0_1", "2_3")), "duplicate_names")
    expectFailure(make(unname(couplings)), "type")
    expectFailure(make(couplings[[1L]]), "type")
    expectFailure(make(list()), "type")
    expectFailure(make(NULL, policy = "diagonal"), "range")
    given <- unname(couplings)
    attr(given, "pairs") <- data.frame(source = 0:2, target = 1:3)
    expect_identical(chainOf(sce, given), chainOf(sce, couplings))
    attr(given, "pairs")$target <- c(1, 2, 9)
    expect_identical(expectFailure(make(given), "missing_key")$key, "9")
    attr(given, "pairs") <- data.frame(source = 0:2)
    expectFailure(make(given), "type")
    # Levels with the separator: one reading, or the attribute.
    parted <- sce
    levels(parted$day) <- c("a", "a_b", "b", "c", "d")
    names(couplings) <- c("a_a_b", "a_b_b", "b_c")
    expect_identical(
        chainOf(parted, couplings), chainOf(sce, courseCouplings(sce))
    )
    levels(parted$day) <- c("a", "a_b", "b_b", "b", "c")
    names(couplings) <- c("a_a_b", "a_b_b", "a_b_b")
    expectFailure(RealTimeKernel(parted, "day", couplings), "duplicate_names")
})

test_that("rows and columns must be the cells of their times", {
    sce <- course()
    couplings <- courseCouplings(sce)
    refused <- function(change, kind) {
        broken <- couplings
        broken[[2L]] <- change(broken[[2L]])
        expectFailure(RealTimeKernel(sce, "day", broken), kind)
    }
    e <- refused(function(m) {
        rownames(m)[4L] <- "nobody"
        m
    }, "container_cells")
    expect_identical(e$cells, "nobody")
    expect_identical(e$pair, c("1", "2"))
    refused(function(m) {
        colnames(m)[4L] <- colnames(m)[5L]
        m
    }, "container_cells")
    e <- refused(function(m) m[-1L, ], "shape")
    expect_identical(e$n_cells, c(15L, 16L))
    refused(function(m) as.data.frame(m), "type")
    refused(function(m) array(as.character(m), dim(m)), "type")
})

test_that("times, entries and arguments are checked", {
    sce <- course()
    couplings <- courseCouplings(sce)
    make <- function(x) RealTimeKernel(x, "day", couplings)
    other <- sce
    other$day <- as.integer(as.character(sce$day))
    expectFailure(make(other), "type")
    other$day <- sce$day
    other$day[3L] <- NA
    expect_identical(expectFailure(make(other), "range")$cells, "cell3")
    other$day <- factor("0")
    expectFailure(make(other), "range")
    expectFailure(RealTimeKernel(sce, "nothing", couplings), "missing_key")
    expectFailure(RealTimeKernel(diag(3), "day"), "container_class")
    k <- make(sce)
    expectFailure(compute(k, threshold = -1), "range")
    expectFailure(compute(k, threshold = "automatic"), "range")
    e <- expectFailure(compute(k, self_transitions = "identity"), "range")
    expect_true("diagonal" %in% e$choices)
    expectFailure(compute(k, self_transitions = "3"), "range")
    expectFailure(compute(k, self_transitions = TRUE), "type")
    for (weight in list(NULL, 0, 1, 1.5)) {
        e <- expectFailure(
            compute(k, self_transitions = "all", conn_weight = weight), "range"
        )
        expect_identical(e$argument, "conn_weight")
    }
    expectFailure(compute(k, conn_kwargs = list(k = 3)), "unknown_argument")
    expectFailure(compute(k, conn_kwargs = 3), "type")
    expectFailure(compute(k, treshold = 3), "unknown_argument")
    for (call in list(
        quote(compute(k, conn_weight = 0.5)),
        quote(compute(k, self_transitions = "diagonal",
            conn_kwargs = list(n_neighbors = 3)))
    )) {
        expect_warning(
            eval(call), class = "fatecast_warning_replaced_argument"
        )
    }
    for (bad in list(-1, NaN, Inf)) {
        broken <- couplings
        broken[[3L]][2L, 2L] <- bad
        e <- expectFailure(compute(RealTimeKernel(sce, "day", broken)), "range")
        expect_match(conditionMessage(e), "`2` to `3`", fixed = TRUE)
    }
    withr::local_options(fatecast.memory_limit = 1000)
    expectFailure(compute(k, self_transitions = "uniform"), "memory")
    couplings[[1L]][] <- 0
    expectFailure(
        compute(make(sce), self_transitions = "diagonal"), "memory"
    )
})

test_that("a time of one cell keeps it", {
    sce <- course()
    sce <- sce[, c(which(sce$day == 3)[1L], which(sce$day != 3))]
    couplings <- courseCouplings(sce)
    m <- chainOf(sce, couplings)
    expect_identical(unname(m[1L, ]), c(1, rep(0, 48)))
})

test_that("results go to the object with colours and growth", {
    sce <- course()
    couplings <- courseCouplings(sce)
    early <- colnames(sce)[sce$day != 3]
    attr(couplings, "growth") <- data.frame(
        g0 = 1, g1 = seq_along(early), row.names = early
    )
    for (x in list(sce, courseSeurat(sce))) {
        k <- compute(RealTimeKernel(x, "day", couplings))
        out <- expectQuiet(container(k))
        expect_identical(cellGraph(out, "T_fwd"), transitionMatrix(k))
        expect_identical(names(.readColors(out, "day")), as.character(0:3))
        g <- .readCellData(out, "growth_fwd.g1")
        expect_equal(unname(g[sce$day != 3]), seq_along(early))
        expect_true(all(is.na(g[sce$day == 3])))
        # Once more, over its own results.
        k@container <- out
        expectQuiet(container(k))
        mine <- .writeColors(x, "day", c("red", "blue", "green", "black"))
        k@container <- mine
        expect_identical(
            unname(.readColors(writeToObject(k, "T_days"), "day")),
            c("red", "blue", "green", "black")
        )
    }
    k <- 0.5 * compute(RealTimeKernel(sce, "day", couplings)) + 0.5 *
        ConnectivityKernel(buildNeighbors(sce, n_neighbors = 5))
    expect_equal(
        unname(Matrix::rowSums(transitionMatrix(k))), rep(1, 64)
    )
})

test_that("any number of threads gives the same bits", {
    sce <- course(700L)
    couplings <- courseCouplings(sce)
    k <- RealTimeKernel(sce, "day", couplings)
    expectSameBits(function(threads) {
        transitionMatrix(compute(
            k, threshold = 60, self_transitions = "all", conn_weight = 0.1,
            n_threads = threads
        ))
    })
})
