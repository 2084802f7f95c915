# A walk on sites 0 to b that ends at either side.
ruin <- function(b = 8, p = 0.5) {
    m <- matrix(0, b + 1, b + 1)
    inside <- seq(2, b)
    m[cbind(inside, inside + 1)] <- p
    m[cbind(inside, inside - 1)] <- 1 - p
    m[1, 1] <- m[b + 1, b + 1] <- 1
    m
}

timesOf <- function(m, states, ...) {
    fit <- setTerminalStates(GPCCA(m), states)
    absorptionTimes(computeAbsorptionTimes(fit, ...))
}

both <- function(...) suppressWarnings(timesOf(...))

# Means and variances by a dense inverse, given the state of every cell.
denseTimes <- function(t, state) {
    inside <- is.na(state)
    n <- solve(diag(sum(inside)) - t[inside, inside])
    into <- vapply(levels(state), function(k) {
        rowSums(t[inside, state %in% k, drop = FALSE])
    }, numeric(sum(inside)))
    f <- n %*% into
    m <- (n %*% f) / f
    list(
        inside = inside, fates = f, means = m,
        variances = 2 * (n %*% n %*% f) / f - m - m^2
    )
}

test_that("the gambler's ruin lasts i (b - i) steps", {
    b <- 8
    i <- seq(1, b - 1)
    inside <- i + 1
    states <- list(left = 1, right = b + 1)
    all <- both(ruin(b), list(end = c(1, b + 1)), calculate_variance = TRUE)
    expect_named(all, c("end_mean", "end_var"))
    expect_equal(all$end_mean, c(0, i * (b - i), 0), tolerance = 1e-12)
    expect_equal(all$end_var[inside], tolerance = 1e-11,
        i * (b - i) * (i^2 + (b - i)^2 - 2) / 3)
    each <- timesOf(ruin(b), states, calculate_variance = TRUE)
    expect_named(
        each, c("left_mean", "left_var", "right_mean", "right_var")
    )
    expect_equal(
        each$right_mean[inside], (b^2 - i^2) / 3, tolerance = 1e-12
    )
    expect_equal(
        each$left_mean[inside], (b^2 - (b - i)^2) / 3, tolerance = 1e-12
    )
})

test_that("a biased walk takes as long as its closed form", {
    b <- 12
    p <- 0.3
    i <- seq(1, b - 1)
    q <- (1 - p) / p
    up <- (1 - q^i) / (1 - q^b)
    all <- both(ruin(b, p), list(end = c(1, b + 1)))
    want <- (b * up - i) / (2 * p - 1)
    expect_equal(all$end_mean[i + 1], want, tolerance = 1e-12)
    # Down and up are mirrored.
    states <- list(left = 1, right = b + 1)
    each <- timesOf(ruin(b, p), states)
    mirror <- timesOf(ruin(b, 1 - p), states)
    expect_equal(each$left_mean[i + 1], rev(mirror$right_mean[i + 1]),
        tolerance = 1e-12)
    # Known to end at a side, the drift does not matter.
    expect_equal(each$right_mean[i + 1], mirror$right_mean[i + 1],
        tolerance = 1e-10)
})

test_that("every solver agrees with a dense inverse, within its bound", {
    fit <- fitted()
    t <- as.matrix(transitionMatrix(fit))
    want <- denseTimes(t, terminalStates(fit))
    for (solver in c("auto", "gmres", "bicgstab", "direct")) {
        x <- computeAbsorptionTimes(
            fit, calculate_variance = TRUE, solver = solver, n_threads = 2
        )
        got <- absorptionTimes(x)[want$inside, ]
        means <- as.matrix(got[endsWith(names(got), "_mean")])
        worst <- max(abs(means / want$means - 1))
        run <- certificates(x)
        run <- run[run$key == .keyAbsorptionTimes(), ]
        expect_lte(worst, 1e-8)
        expect_lte(worst, run$error_bound + 1e-10)
        expect_lte(run$error_bound, 1e-6)
        expect_lte(run$residual, 1e-10)
        variances <- as.matrix(got[endsWith(names(got), "_var")])
        expect_lte(max(abs(variances / want$variances - 1)), 1e-8)
    }
})

test_that("the law of total expectation holds", {
    fit <- fitted()
    f <- as.matrix(fateProbabilities(fit))
    each <- absorptionTimes(computeAbsorptionTimes(fit))
    state <- terminalStates(fit)
    levels(state) <- rep("end", nlevels(state))
    all <- suppressWarnings(
        computeAbsorptionTimes(setTerminalStates(fit, state))
    )
    inside <- is.na(state)
    sum <- rowSums(f[inside, ] * as.matrix(each)[inside, ])
    expect_lte(
        max(abs(sum / absorptionTimes(all)$end_mean[inside] - 1)), 1e-10
    )
})

test_that("own cells, other states and the unreachable have their values", {
    m <- as.matrix(Matrix::bdiag(ruin(4), ruin(3)))
    fit <- setTerminalStates(GPCCA(m), list(a = 1, b = 5))
    e <- expectFailure(computeAbsorptionTimes(fit), "unreachable")
    expect_identical(e$cells, paste0("cell", 6:9))
    expect_warning(
        x <- computeAbsorptionTimes(
            fit, calculate_variance = TRUE, on_unreachable = "na"
        ), class = "fatecast_warning_dropped"
    )
    got <- absorptionTimes(x)
    expect_identical(got$a_mean[c(1, 5)], c(0, Inf))
    expect_identical(got$b_mean[c(1, 5)], c(Inf, 0))
    expect_identical(got$a_var[c(1, 5)], c(0, NaN))
    expect_true(all(is.na(as.matrix(got[6:9, ]))))
    expect_false(any(is.nan(as.matrix(got[6:9, ]))))
    expect_equal(got$b_mean[2:4], (16 - (1:3)^2) / 3, tolerance = 1e-12)
    # Behind `a` there is no way to `b`.
    line <- rbind(
        c(0, 1, 0, 0), c(0, 1, 0, 0), c(0, 0.5, 0, 0.5), c(0, 0, 0, 1)
    )
    got <- timesOf(line, list(a = 2, b = 4))
    expect_identical(got$b_mean, c(NA, Inf, 1, 0))
    expect_identical(got$a_mean, c(1, 0, 1, Inf))
})

test_that("walks take the time and end in the states that are computed", {
    fit <- fitted()
    state <- terminalStates(fit)
    x <- computeAbsorptionTimes(fit, calculate_variance = TRUE)
    times <- absorptionTimes(x)
    fates <- as.matrix(fateProbabilities(fit))
    ends <- which(!is.na(state))
    far <- which(is.na(state))
    entropy <- -rowSums(fates * log(pmax(fates, 1e-300)))
    start <- far[order(-entropy[far])[1]]
    walks <- plotRandomWalksData(
        fit, n_sims = 4000, max_iter = 100000L, random_state = 7,
        start_ixs = start, stop_ixs = ends, basis = NULL, n_threads = 2
    )
    last <- walks[!duplicated(walks$walk, fromLast = TRUE), ]
    reached <- state[match(last$cell, names(state))]
    expect_false(anyNA(reached))
    n <- nrow(last)
    for (k in levels(state)) {
        p <- fates[start, k]
        expect_lte(abs(mean(reached == k) - p), 4 * sqrt(p * (1 - p) / n))
        steps <- last$step[reached == k]
        if (length(steps) < 100) next
        mean <- times[start, paste0(k, "_mean")]
        var <- times[start, paste0(k, "_var")]
        expect_lte(abs(mean(steps) - mean), 4 * sqrt(var / length(steps)))
        # The variance of a variance, by the fourth moment of the sample.
        away <- (steps - mean)^2
        expect_lte(
            abs(mean(away) - var), 4 * stats::sd(away) / sqrt(length(steps))
        )
    }
})

test_that("keys take some of the states, in their order", {
    fit <- fitted()
    keys <- rev(levels(terminalStates(fit)))[1:2]
    x <- computeAbsorptionTimes(fit, keys = keys)
    expect_named(absorptionTimes(x), paste0(keys, "_mean"))
    expect_identical(nrow(absorptionTimes(x)), 600L)
    expect_named(
        absorptionTimes(computeAbsorptionTimes(fit, keys[1])),
        paste0(keys[1], "_mean")
    )
    expectFailure(computeAbsorptionTimes(fit, keys = "nope"), "missing_key")
})

test_that("times are stored as flat columns and come back", {
    for (made in list(tree(), seuratFrom(tree()))) {
        fit <- GPCCA(transitionMatrix(fitted()), container = made)
        fit <- setTerminalStates(fit, terminalStates(fitted()))
        x <- computeAbsorptionTimes(fit, calculate_variance = TRUE)
        object <- container(x)
        key <- .keyColumn(.keyAbsorptionTimes(), names(absorptionTimes(x)))
        expect_true(all(key %in% .cellDataNames(object)))
        expect_identical(absorptionTimes(object), absorptionTimes(x))
        made_by <- parameters(object, .keyAbsorptionTimes())
        expect_true(made_by$calculate_variance)
        expectFailure(absorptionTimes(object, backward = TRUE), "not_computed")
    }
})

test_that("a new set of states drops the times, and renaming keeps them", {
    fit <- computeAbsorptionTimes(fitted(), calculate_variance = TRUE)
    old <- levels(terminalStates(fit))
    changed <- setTerminalStates(fit, terminalStates(fit))
    expectFailure(absorptionTimes(changed), "not_computed")
    new <- stats::setNames(paste0(old, "2"), old)
    named <- .stepTimes$rename(fit@results$times, new)
    expect_identical(
        names(named$table), sub("_(mean|var)$", "2_\\1",
            names(absorptionTimes(fit)))
    )
    expect_identical(named$names, unname(new))
    expect_identical(unname(as.list(named$table)),
        unname(as.list(absorptionTimes(fit))))
    expect_output(show(fit), "absorption times: relative error below")
})

test_that("bits do not depend on threads, nor times on the order of cells", {
    fit <- fitted()
    expectSameBits(function(threads) {
        absorptionTimes(computeAbsorptionTimes(
            fit, calculate_variance = TRUE, n_threads = threads
        ))
    })
    order <- rev(seq_len(600))
    turned <- GPCCA(transitionMatrix(fit)[order, order])
    turned <- setTerminalStates(turned, terminalStates(fit)[order])
    expect_equal(
        absorptionTimes(computeAbsorptionTimes(turned))[rownames(
            absorptionTimes(computeAbsorptionTimes(fit))
        ), ], absorptionTimes(computeAbsorptionTimes(fit)), tolerance = 1e-10
    )
})

test_that("wrong arguments are refused before any work", {
    fit <- setTerminalStates(GPCCA(ruin()), list(a = 1, b = 9))
    expectFailure(computeAbsorptionTimes(GPCCA(ruin())), "not_computed")
    expectFailure(computeAbsorptionTimes(fit, solver = "lu"), "range")
    expectFailure(computeAbsorptionTimes(fit, tol = 0), "range")
    expectFailure(computeAbsorptionTimes(fit, calculate_variance = NA), "type")
    expectFailure(computeAbsorptionTimes(fit, variance = TRUE),
        "unknown_argument")
    expectFailure(absorptionTimes(fit), "not_computed")
    expectFailure(absorptionTimes(tree()), "not_computed")
    every <- setTerminalStates(fit, factor(rep(c("a", "b"), c(4, 5))))
    expectFailure(computeAbsorptionTimes(every), "no_state")
})

test_that("times agree with the peer's on real data", {
    skip_if_no_reference()
    data <- readReference()
    peer <- data$reference
    states <- peer$terminal_states
    states[states == ""] <- NA
    fit <- setTerminalStates(
        GPCCA(peer$transition[["combined_0.8v_0.2c"]]), factor(states)
    )
    fit <- computeAbsorptionTimes(fit, n_threads = 2)
    names <- colnames(peer$fate_probabilities)
    ours <- as.matrix(absorptionTimes(fit)[paste0(names, "_mean")])
    # The peer's iteration loses digits where the fate is rare.
    inside <- is.na(states) & peer$fate_probabilities > 0.01
    theirs <- peer$absorption_times
    expect_lte(max(abs(ours / theirs - 1)[inside]), 1e-5)
})
