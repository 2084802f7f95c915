test_that("couplings agree with a dense solver and the median is exact", {
    sce <- courseSCE()
    x <- SingleCellExperiment::reducedDim(sce, "PCA")
    at <- split(seq_len(90), sce$day)
    raw <- squaredDistances(x[at[[1]], ], x[at[[2]], ])
    couplings <- computeCouplings(
        sce, "day", growth_key = "growth", threshold = NULL, tolerance = 1e-12
    )
    expect_identical(names(couplings), "0_1")
    m <- couplings[["0_1"]]
    expect_s4_class(m, "dgCMatrix")
    expect_identical(dimnames(m), split(colnames(sce), sce$day) |> unname())
    scale <- attr(couplings, "diagnostics")$scale
    expect_equal(scale, stats::median(raw), tolerance = 1e-6)
    want <- denseCoupling(raw / scale, sce$growth[at[[1]]])
    expect_equal(unname(as.matrix(m)), unname(want), tolerance = 1e-5)
    growth <- attr(couplings, "growth")[["0_1"]]
    expect_equal(unname(growth[, "g0"]), sce$growth[at[[1]]])
    expect_equal(unname(growth[, "g1"]), unname(rowSums(want)), tolerance = 1e-5)
    expect_identical(
        attr(couplings, "pairs"), data.frame(source = "0", target = "1")
    )
})

test_that("the fixture of three and four cells comes out", {
    x <- c(0, 1, 3)
    y <- c(0.5, 1, 2, 4)
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = matrix(1, 1, 7, dimnames = list("a", letters[1:7])))
    )
    sce$day <- factor(rep(c(0, 2), 3:4))
    sce$g <- c(1.2, 1, 0.8, rep(NA, 4))
    SingleCellExperiment::reducedDim(sce, "PCA") <- matrix(c(x, y))
    run <- function(...) {
        quietCouplings(sce, "day", growth_key = "g", epsilon = 0.5, ...)
    }
    full <- run(threshold = NULL, growth_iters = 3)
    expect_equal(
        unname(as.matrix(full[[1]])), matrix(c(
            0.436393, 0.121046, 0.001267, 0, 0.298725, 0.612257, 0.349963,
            8e-8, 2.0e-6, 2.18e-4, 0.371799, 0.718284
        ), 3, byrow = TRUE), tolerance = 1e-5
    )
    growth <- attr(full, "growth")[[1]]
    expect_identical(colnames(growth), paste0("g", 0:3))
    expect_equal(
        unname(growth[, "g3"]), c(0.747467, 1.122918, 1.044176),
        tolerance = 1e-5
    )
    auto <- run()[[1]]
    kept <- which(as.matrix(auto) > 0)
    expect_identical(kept, which(diag(3)[, c(1, 2, 2, 3)] > 0 & col(
        matrix(0, 3, 4)
    ) != 3))
    expect_equal(min(auto@x), 0.507882, tolerance = 1e-5)
    half <- run(threshold = 50)[[1]]
    expect_length(half@x, 6L)
    expect_true(all(half@x >= 0.208805))
    # A cost given as a matrix, a list or a function is the same problem.
    cost <- outer(x, y, function(a, b) (a - b)^2)
    for (given in list(cost, list("0_2" = cost), function(a, b) {
        outer(a[, 1], b[, 1], function(a, b) (a - b)^2)
    })) {
        other <- run(threshold = NULL, growth_iters = 3, cost = given)
        expect_equal(other[[1]], full[[1]], tolerance = 1e-5)
    }
})

test_that("every threshold keeps what its rule says", {
    sce <- courseSCE(c(35L, 40L, 45L))
    run <- function(threshold) {
        quietCouplings(sce, "day", threshold = threshold, epsilon = 0.1)
    }
    full <- lapply(run(NULL), as.matrix)
    top <- function(m) min(apply(m, 1L, max))
    check <- function(threshold, bound) {
        found <- run(threshold)
        for (k in names(full)) {
            want <- full[[k]] * (full[[k]] >= bound[[k]] * (1 - 1e-9))
            expect_equal(as.matrix(found[[k]]), want, tolerance = 1e-7)
        }
    }
    check("auto_local", lapply(full, top))
    check("auto", rep(list(min(vapply(full, top, 1))), 2) |>
        stats::setNames(names(full)))
    check(90, lapply(full, function(m) stats::quantile(m, 0.9) + 1e-9))
    mass <- run(c(row_mass = 0.8))
    for (k in names(full)) {
        share <- Matrix::rowSums(mass[[k]]) / rowSums(full[[k]])
        expect_true(all(share >= 0.8 - 1e-7))
        expect_true(all(Matrix::rowSums(mass[[k]] > 0) < ncol(mass[[k]])))
    }
    diagnostics <- attr(mass, "diagnostics")
    expect_identical(diagnostics$n2, c(40L, 45L))
    expect_true(all(diagnostics$kept_mass_min >= 0.8 - 1e-7))
})

test_that("both containers, all policies and local PCA give couplings", {
    sce <- simulateDifferentiation(n_cells = 260, n_genes = 60)
    seurat <- seuratFrom(sce)
    for (rep in list("PCA", NULL)) {
        a <- quietCouplings(sce, "time", use_rep = rep, epsilon = 0.1)
        b <- quietCouplings(seurat, "time", use_rep = rep, epsilon = 0.1)
        for (k in names(a)) expect_equal(a[[k]], b[[k]], tolerance = 1e-6)
    }
    all <- quietCouplings(sce, "time", policy = "triu", n_pcs = 5)
    expect_identical(
        names(all), c("0_1", "0_2", "0_3", "1_2", "1_3", "2_3")
    )
    own <- quietCouplings(sce, "time", n_pcs = 5, threshold = "auto_local",
        pairs = data.frame(from = c("0", "1"), to = c("3", "2")))
    expect_identical(names(own), c("0_3", "1_2"))
    # With no more genes than components the expression itself.
    few <- quietCouplings(sce[1:20, ], "time", use_rep = NULL)
    x <- t(as.matrix(SummarizedExperiment::assay(sce, "logcounts")[1:20, ]))
    SingleCellExperiment::reducedDim(sce, "X") <- x
    same <- quietCouplings(sce, "time", use_rep = "X")
    for (k in names(few)) expect_equal(few[[k]], same[[k]], tolerance = 1e-6)
    expect_output(print(few), "3 couplings of time points")
})

test_that("potentials give the coupling back", {
    sce <- courseSCE()
    found <- quietCouplings(
        sce, "day", threshold = NULL, keep_potentials = TRUE, epsilon = 0.2
    )
    potentials <- attr(found, "potentials")[["0_1"]]
    x <- SingleCellExperiment::reducedDim(sce, "PCA")
    d <- attr(found, "diagnostics")
    cost <- squaredDistances(
        x[names(potentials$f), ], x[names(potentials$g), ]
    ) / d$scale
    want <- exp((outer(potentials$f, potentials$g, "+") - cost) / 0.2) / 50
    expect_equal(as.matrix(found[[1]]), want, tolerance = 1e-5)
    expect_lt(d$col_residual, 1e-6)
    expect_equal(sum(rowSums(want)) / 40, d$mass, tolerance = 1e-6)
})

test_that("the same bits on any number of threads", {
    sce <- courseSCE(c(210L, 330L), d = 6L)
    expectSameBits(function(threads) {
        out <- suppressWarnings(computeCouplings(
            sce, "day", growth_iters = 2, keep_potentials = TRUE,
            threshold = c(row_mass = 0.9), n_threads = threads
        ))
        attributes(out)[c("growth", "potentials", "diagnostics")]
    })
})

test_that("infinite penalties hold the marginals", {
    sce <- courseSCE()
    found <- quietCouplings(
        sce, "day", lambda1 = Inf, lambda2 = Inf, growth_key = "growth",
        threshold = NULL, epsilon = 0.2, tolerance = 1e-9
    )
    m <- found[[1]]
    expect_equal(unname(Matrix::rowSums(m)), sce$growth[1:40], tolerance = 1e-6)
    expect_equal(
        unname(Matrix::colSums(m)), rep(sum(sce$growth[1:40]) / 50, 50),
        tolerance = 1e-6
    )
    expect_true(is.na(attr(found, "diagnostics")$gap))
})

test_that("growth rates follow from scores", {
    rates <- computeGrowthScores(
        c(a = 0, b = 0.25, c = 1, d = -0.5), c(0, 0.1, 0, 0.5)
    )
    expect_named(rates, letters[1:4])
    expect_equal(unname(rates), c(1, 1, 3.420047, 0.247568), tolerance = 1e-6)
    expectFailure(computeGrowthScores(c(a = NA_real_), 1), "range",
        list(cells = "a"))
    expectFailure(computeGrowthScores(1:2, 1), "shape")
    expectFailure(computeGrowthScores("1", 1), "type")
    expectFailure(computeGrowthScores(1, 1, beta_width = 0), "range")
})

test_that("fates by couplings beat those by diffusion", {
    sce <- simulateDifferentiation(n_cells = 1200, n_genes = 200)
    fates <- grep("^fate_", names(SummarizedExperiment::colData(sce)),
        value = TRUE)
    truth <- as.matrix(SummarizedExperiment::colData(sce)[, fates])
    # Where descendants end: by the true fates of the last day.
    last <- sce$time == "3"
    found <- truth * 0
    found[last, ] <- truth[last, ]
    couplings <- quietCouplings(sce, "time", threshold = c(row_mass = 0.95))
    for (k in rev(names(couplings))) {
        m <- couplings[[k]]
        at <- match(colnames(m), colnames(sce))
        next_ <- as.matrix(m %*% found[at, ]) / Matrix::rowSums(m)
        found[match(rownames(m), colnames(sce)), ] <- next_
    }
    sce <- buildNeighbors(sce, n_threads = 2)
    walk <- transitionMatrix(computeTransitionMatrix(
        ConnectivityKernel(sce), n_threads = 2
    ))
    diffused <- truth * last + mean(last) * 0
    for (step in seq_len(300)) {
        diffused <- as.matrix(walk %*% diffused)
        diffused[last, ] <- truth[last, ]
    }
    diffused <- diffused / rowSums(diffused)
    off <- function(f) mean(rowSums(abs(f - truth))[!last]) / 2
    expect_lt(off(found), off(diffused))
    expect_lt(off(found), 0.25)
})
