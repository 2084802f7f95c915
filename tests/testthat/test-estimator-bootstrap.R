# A line of cells whose ends are terminal; every cell steps to its neighbours.
lineChain <- function(n = 12) {
    m <- matrix(0, n, n)
    near <- abs(row(m) - col(m)) <= 2
    m[near] <- (1 + (row(m) * col(m)) %% 3)[near]
    m / rowSums(m)
}

lineFit <- function(n = 12) {
    fit <- setTerminalStates(GPCCA(lineChain(n)), list(a = 1, b = n))
    computeFateProbabilities(fit)
}

numbers <- function(u) lapply(u[.uncertaintyParts], as.matrix)

test_that("a fork of two steps varies as the weights say", {
    # From the middle to either end: the first fate is w1 / (w1 + w2), uniform.
    m <- rbind(c(1, 0, 0), c(0.5, 0, 0.5), c(0, 0, 1))
    fit <- setTerminalStates(GPCCA(m), list(a = 1, b = 3))
    fit <- computeFateProbabilities(fit)
    fit <- bootstrapFates(fit, n_boot = 4000, random_state = 1)
    u <- fateUncertainty(fit)
    expect_equal(u$mean[["cell2", "a"]], 0.5, tolerance = 0.03)
    expect_equal(u$sd[["cell2", "a"]], sqrt(1 / 12), tolerance = 0.03)
    # The ends themselves are certain.
    ends <- c("cell1", "cell3")
    expect_identical(unname(as.matrix(u$sd)[ends, ]), matrix(0, 2, 2))
    expect_identical(as.matrix(u$lower)[ends, ], as.matrix(u$upper)[ends, ])
})

test_that("the spread is that of solving weighted chains in R", {
    n <- 12
    m <- lineChain(n)
    fit <- bootstrapFates(lineFit(n), n_boot = 3000, random_state = 3)
    u <- fateUncertainty(fit)
    inside <- seq(2, n - 1)
    drawn <- withr::with_seed(1, replicate(3000, {
        s <- sweep(m, 2, stats::rexp(n), "*")
        s <- s / rowSums(s)
        solve(diag(n - 2) - s[inside, inside], s[inside, n])
    }))
    want <- apply(drawn, 1, stats::sd)
    got <- as.matrix(u$sd)[inside, "b"]
    # Each has a standard error of about 1.3%.
    expect_equal(unname(got), want, tolerance = 0.06)
    expect_equal(
        unname(as.matrix(u$mean)[inside, "b"]), rowMeans(drawn),
        tolerance = 0.05
    )
})

test_that("intervals hold the mean over samples as often as promised", {
    # The first cell steps to 40 cells, each of either state with even chances:
    # its fate is the share of a state, and one half over all samples.
    k <- 40
    m <- diag(k + 1)
    m[1, ] <- c(0, rep(1 / k, k))
    chain <- GPCCA(m)
    held <- vapply(seq_len(150), function(r) {
        drawn <- withr::with_seed(r, stats::rbinom(k, 1, 0.5))
        fit <- setTerminalStates(chain, list(
            a = which(drawn == 0) + 1, b = which(drawn == 1) + 1
        ))
        fit <- computeFateProbabilities(fit, n_threads = 1)
        u <- fateUncertainty(bootstrapFates(
            fit, n_boot = 100, random_state = r, n_threads = 1
        ))
        u$lower[["cell1", "a"]] <= 0.5 && 0.5 <= u$upper[["cell1", "a"]]
    }, logical(1))
    # 95% and three standard errors of 1.8%, a little less for the weights.
    expect_gte(mean(held), 0.88)
    expect_lte(mean(held), 0.985)
})

test_that("certain fates have intervals without width", {
    m <- as.matrix(Matrix::bdiag(lineChain(6), lineChain(6)))
    fit <- setTerminalStates(GPCCA(m), list(a = 1, b = 12))
    fit <- computeFateProbabilities(fit)
    for (what in c("cells", "neighbors")) {
        # Without some edges a walk may be caught before it arrives.
        u <- fateUncertainty(suppressWarnings(bootstrapFates(
            fit, n_boot = 20, what = what, random_state = 1
        )))
        expect_lt(max(as.matrix(u$upper) - as.matrix(u$lower)), 1e-8)
    }
})

test_that("a seed decides, threads do not", {
    fit <- fitted()
    run <- function(threads, seed = 5, ...) {
        numbers(fateUncertainty(bootstrapFates(
            fit, n_boot = 6, random_state = seed, n_threads = threads, ...
        )))
    }
    for (what in c("cells", "neighbors")) {
        expectSameBits(function(threads) run(threads, what = what))
    }
    expect_false(identical(run(1), run(1, seed = 6)))
    set.seed(1)
    a <- run(1, NULL)
    set.seed(1)
    expect_identical(run(2, NULL), a)
})

test_that("intervals hold the point estimate and stay in range", {
    fit <- bootstrapFates(fitted(), n_boot = 30, random_state = 1)
    p <- as.matrix(fateProbabilities(fit))
    u <- numbers(fateUncertainty(fit))
    expect_true(all(u$lower <= p & p <= u$upper))
    expect_true(all(u$lower >= 0 & u$upper <= 1 & u$sd >= 0))
    wide <- fateUncertainty(bootstrapFates(
        fit, n_boot = 30, random_state = 1, confidence_level = 0.99
    ))
    expect_true(all(as.matrix(wide$upper) >= u$upper))
    run <- certificates(fit)
    run <- run[run$key == .keyUncertainty(), ]
    expect_lte(run$residual, 1e-6)
    expect_lte(run$error_bound, 1e-4)
    expect_output(show(fit), "uncertainty: 30 resamples of cells")
})

test_that("neighbourhoods of fixed size give wider intervals", {
    fit <- fitted()
    sd <- function(neighborhood) {
        u <- fateUncertainty(bootstrapFates(
            fit, n_boot = 40, random_state = 1, neighborhood = neighborhood
        ))
        mean(as.matrix(u$sd))
    }
    expect_identical(sd(NULL), sd("adaptive"))
    expect_gt(sd("fixed"), 1.15 * sd("adaptive"))
    # A matrix says nothing of neighbourhoods.
    line <- bootstrapFates(lineFit(), n_boot = 5, random_state = 1)
    expect_identical(
        parameters(line, .keyUncertainty())$neighborhood, "fixed"
    )
})

test_that("samples share weights, and few of them are said to be rough", {
    sce <- tree()
    sce$batch <- factor(rep_len(c("x", "y"), ncol(sce)))
    sce$one <- "all"
    sce$hole <- factor(c(NA, rep("x", ncol(sce) - 2), "y"))
    fit <- fitted()
    fit@container <- sce
    run <- function(key, ...) {
        bootstrapFates(
            fit, n_boot = 4, unit = "sample", sample_key = key,
            random_state = 1, ...
        )
    }
    expect_warning(run("batch"), class = "fatecast_warning_unreliable")
    e <- expectFailure(run("one"), "range", list(n_samples = 1L))
    expect_identical(e$argument, "sample_key")
    e <- expectFailure(run("hole"), "range")
    expect_identical(e$cells, colnames(sce)[1L])
    expectFailure(run(NULL), "type", list(argument = "sample_key"))
    expectFailure(run("nowhere"), "missing_key")
    expectFailure(run("batch", what = "neighbors"), "range")
    expectFailure(bootstrapFates(fit, sample_key = "batch"), "range")
})

test_that("velocity genes are resampled through the kernel", {
    fit <- fitted()
    run <- function(threads) {
        fateUncertainty(bootstrapFates(
            fit, n_boot = 4, what = "velocity", random_state = 2,
            n_threads = threads
        ))
    }
    u <- run(1)
    expect_identical(numbers(u), numbers(run(2)))
    expect_gt(max(as.matrix(u$sd)), 0.01)
    # All genes once: the chain as it is.
    kernel <- .resampledKernel(fit, rlang::current_env())
    genes <- .velocityFeatures(kernel, rlang::current_env())
    again <- .velocityChain(kernel, genes, .job(1L))
    expect_equal(again@x, transitionMatrix(fit)@x, tolerance = 1e-12)
    withr::local_options(fatecast.memory_limit = 1000)
    expectFailure(run(1), "memory", list(limit = 1000))
    expectFailure(
        bootstrapFates(lineFit(), what = "velocity"), "type",
        list(argument = "what")
    )
})

test_that("states found anew are matched to their own", {
    fit <- fitted()
    out <- suppressWarnings(bootstrapFates(
        fit, n_boot = 10, terminal = "recomputed", random_state = 1,
        n_threads = 2
    ))
    u <- fateUncertainty(out)
    expect_identical(u$stability$state, lineageNames(fit))
    expect_true(all(u$stability$stability > 0.3))
    expect_true(all(u$stability$recovered >= 0 & u$stability$recovered <= 1))
    expect_lte(u$used, 10)
    one <- suppressWarnings(bootstrapFates(
        fit, n_boot = 10, terminal = "recomputed", random_state = 1,
        n_threads = 1
    ))
    expect_identical(fateUncertainty(one), u)
    # The stability is worth nothing for states that were set by hand.
    e <- expectFailure(
        bootstrapFates(lineFit(), terminal = "recomputed"), "not_computed"
    )
    expect_match(conditionMessage(e), "do not come from macrostates")
})

test_that("cells that a resample cuts off are reported", {
    m <- rbind(
        c(0, 0.2, 0.4, 0.4), c(0, 0, 0.5, 0.5), c(0, 0.4, 0, 0.6), c(0, 0, 0, 1)
    )
    m <- rbind(cbind(m, 0), c(0, 0, 0, 0, 1))
    m[1, 5] <- 0.2
    m[1, ] <- m[1, ] / sum(m[1, ])
    fit <- setTerminalStates(GPCCA(m), list(a = 4))
    suppressWarnings(
        fit <- computeFateProbabilities(fit, on_unreachable = "na")
    )
    fit <- suppressWarnings(bootstrapFates(
        fit, n_boot = 60, what = "neighbors", random_state = 1
    ))
    u <- fateUncertainty(fit)
    expect_identical(u$unreachable[["cell5"]], 60)
    expect_true(is.na(u$sd[["cell5", "a"]]))
    expect_false(is.na(u$sd[["cell1", "a"]]))
})

test_that("arguments are checked before any work", {
    expectFailure(
        bootstrapFates(setTerminalStates(
            GPCCA(lineChain()), list(a = 1, b = 12)
        )), "not_computed", list(step = "fates")
    )
    fit <- lineFit()
    expectFailure(bootstrapFates(fit, n_boot = 1), "range")
    expectFailure(bootstrapFates(fit, confidence_level = 1), "range")
    expectFailure(bootstrapFates(fit, what = "genes"), "range")
    expectFailure(bootstrapFates(fit, bot = 3), "unknown_argument")
    expectFailure(fateUncertainty(fit), "not_computed")
})

test_that("results are stored, read, renamed and dropped with the fates", {
    fit <- suppressWarnings(bootstrapFates(
        fitted(), n_boot = 5, random_state = 1, terminal = "recomputed"
    ))
    u <- fateUncertainty(fit)
    sce <- container(fit)
    expect_equal(fateUncertainty(sce), u)
    expect_true("lineages_fwd_lower" %in% .embeddingNames(sce))
    expect_identical(parameters(sce, "fate_uncertainty_fwd")$n_boot, 5L)
    seurat <- fit
    seurat@container <- seuratFrom(tree())
    expect_equal(
        numbers(fateUncertainty(container(seurat))), numbers(u)
    )
    old <- lineageNames(fit)
    new <- .renameUncertainty(u, stats::setNames("renamed", old[1L]))
    expect_identical(lineageNames(new$lower), c("renamed", old[-1L]))
    expect_identical(new$stability$state[1L], "renamed")
    expect_identical(
        unname(as.matrix(new$upper)), unname(as.matrix(u$upper))
    )
    again <- computeFateProbabilities(fit)
    expectFailure(fateUncertainty(again), "not_computed")
})
