# A walk on a line that ends at either side.
walk <- function(n = 7, p = 0.5) {
    m <- matrix(0, n, n)
    inside <- seq(2, n - 1)
    m[cbind(inside, inside + 1)] <- p
    m[cbind(inside, inside - 1)] <- 1 - p
    m[1, 1] <- m[n, n] <- 1
    m
}

fates <- function(m, states, ...) {
    fit <- setTerminalStates(GPCCA(m), states)
    as.matrix(fateProbabilities(computeFateProbabilities(fit, ...)))
}

test_that("the gambler's ruin has its closed form", {
    for (p in c(0.5, 0.3, 0.8)) {
        n <- 9
        f <- fates(walk(n, p), list(left = 1, right = n))
        i <- seq_len(n) - 1
        q <- (1 - p) / p
        want <- if (p == 0.5) i / (n - 1) else (1 - q^i) / (1 - q^(n - 1))
        expect_equal(unname(f[, "right"]), want, tolerance = 1e-10)
        expect_equal(unname(rowSums(f)), rep(1, n))
    }
})

test_that("every solver agrees with a dense solve", {
    sce <- tree()
    fit <- fitted()
    t <- as.matrix(transitionMatrix(fit))
    state <- terminalStates(fit)
    inside <- is.na(state)
    s <- vapply(levels(state), function(k) {
        rowSums(t[inside, state %in% k, drop = FALSE])
    }, numeric(sum(inside)))
    want <- solve(diag(sum(inside)) - t[inside, inside], s)
    ways <- rbind(
        expand.grid(
            solver = c("gmres", "bicgstab", "auto"),
            preconditioner = c("auto", "none", "jacobi", "ilu0"),
            stringsAsFactors = FALSE
        ), c("direct", "auto")
    )
    for (way in seq_len(nrow(ways))) {
        f <- computeFateProbabilities(
            fit, solver = ways$solver[way],
            preconditioner = ways$preconditioner[way], n_threads = 2
        )
        got <- as.matrix(fateProbabilities(f))[inside, ]
        expect_equal(unname(got), unname(want), tolerance = 1e-9)
        run <- certificates(f)
        run <- run[run$key == .keyLineages(), ]
        expect_lte(run$residual, 1e-6)
        expect_gte(run$error_bound, max(abs(got - want)) - 1e-13)
        expect_lte(run$error_bound, 1e-4)
    }
})

test_that("fates are harmonic, and merging states adds them up", {
    fit <- fitted()
    f <- as.matrix(fateProbabilities(fit))
    t <- transitionMatrix(fit)
    inside <- is.na(terminalStates(fit))
    expect_equal(
        unname(as.matrix(t %*% f)[inside, ]), unname(f[inside, ]),
        tolerance = 1e-8
    )
    state <- terminalStates(fit)
    merged <- state
    levels(merged)[1:2] <- "both"
    g <- computeFateProbabilities(setTerminalStates(fit, merged))
    expect_equal(
        unname(as.matrix(fateProbabilities(g))[, "both"]),
        unname(rowSums(f[, 1:2])), tolerance = 1e-8
    )
})

test_that("cells that reach nothing are named, or get NA", {
    m <- as.matrix(Matrix::bdiag(walk(5), walk(4)))
    fit <- setTerminalStates(GPCCA(m), list(a = 1, b = 5))
    e <- expectFailure(computeFateProbabilities(fit), "unreachable")
    expect_identical(e$cells, paste0("cell", 6:9))
    expect_identical(e$count, 4)
    expect_warning(
        f <- computeFateProbabilities(fit, on_unreachable = "na"),
        class = "fatecast_warning_dropped"
    )
    f <- as.matrix(fateProbabilities(f))
    expect_true(all(is.na(f[6:9, ])))
    expect_equal(unname(f[1:5, "b"]), 0:4 / 4, tolerance = 1e-10)
})

test_that("a strong sink that is no terminal state does not break the solve", {
    # Cell 4 is almost closed: it leaves with probability 1e-6.
    m <- walk(7)
    m[4, ] <- 0
    m[4, c(3, 5)] <- 5e-7
    m[4, 4] <- 1 - 1e-6
    f <- fates(m, list(left = 1, right = 7))
    expect_equal(unname(f[, "right"]), 0:6 / 6, tolerance = 1e-6)
})

test_that("keys take some of the states", {
    fit <- fitted()
    keys <- rev(levels(terminalStates(fit)))[1:2]
    f <- fateProbabilities(computeFateProbabilities(fit, keys = keys))
    expect_identical(lineageNames(f), keys)
    expectFailure(computeFateProbabilities(fit, keys = "nope"), "missing_key")
    expect_warning(
        one <- computeFateProbabilities(fit, keys = keys[1]),
        class = "fatecast_warning_single_lineage"
    )
    expect_equal(unname(as.matrix(fateProbabilities(one))[, 1]), rep(1, 600),
        tolerance = 1e-8
    )
})

test_that("joint keys are one state, named and coloured by its members", {
    fit <- fitted()
    all <- fateProbabilities(fit)
    states <- levels(terminalStates(fit))
    joint <- paste(states[2:1], collapse = ",")
    got <- computeFateProbabilities(fit, keys = c(states[3], joint))
    f <- fateProbabilities(got)
    name <- paste(sort(states[1:2]), collapse = ", ")
    expect_identical(lineageNames(f), c(states[3], name))
    expect_equal(
        f[[name]], rowSums(as.matrix(all)[, states[1:2]]), tolerance = 1e-9
    )
    expect_identical(
        unname(lineageColors(f)), c(
            lineageColors(all)[[states[3]]],
            .mixColors(unname(lineageColors(all)[sort(states[1:2])]))
        )
    )
    # The states themselves stay as they were.
    expect_identical(terminalStates(got), terminalStates(fit))
    for (keys in list(c(states[1], joint), c(joint, states[2]), c("a", "a"))) {
        expect_error(
            computeFateProbabilities(fit, keys = keys),
            class = "fatecast_error_input"
        )
    }
    e <- expectFailure(
        computeFateProbabilities(fit, keys = c(states[1], joint)),
        "duplicate_names"
    )
    expect_match(conditionMessage(e), states[1])
    e <- expectFailure(
        computeFateProbabilities(fit, keys = paste0(states[1], ", nope")),
        "missing_key"
    )
    expect_identical(e$states, "nope")
    for (keys in list(character(), NA_character_, 1)) {
        expectFailure(computeFateProbabilities(fit, keys = keys), "type")
    }
})

test_that("a name with a comma goes before a joint name", {
    terminal <- list(
        assignment = factor(c("A", "B", "A, B", NA)),
        colors = c("#ff0000", "#00ff00", "#0000ff")
    )
    kept <- .keptStates(terminal, "A, B")
    expect_identical(as.character(kept$assignment), c(NA, NA, "A, B", NA))
    kept <- .keptStates(terminal, "B , A")
    expect_identical(
        as.character(kept$assignment), c("A, B", "A, B", NA, NA)
    )
    # Halfway from red to blue.
    expect_identical(kept$colors, "#00ff00")
})

test_that("a solver or preconditioner that does not exist is refused", {
    fit <- setTerminalStates(GPCCA(walk()), list(a = 1, b = 7))
    e <- expectFailure(
        computeFateProbabilities(fit, solver = "lgmres"), "range"
    )
    expect_match(conditionMessage(e), "bicgstab")
    e <- expectFailure(
        computeFateProbabilities(fit, preconditioner = "icc"), "range"
    )
    expect_match(conditionMessage(e), "jacobi")
    expectFailure(
        computeFateProbabilities(
            fit, solver = "direct", preconditioner = "ilu0"
        ), "range"
    )
})

test_that("a state out of reach has probability exactly zero, and is counted", {
    # 1 <- 2 <- 3 -> 4 -> 5, and 2 stays on its side, 4 on the other.
    m <- matrix(0, 5, 5)
    m[1, 1] <- m[2, 1] <- m[4, 5] <- m[5, 5] <- 1
    m[3, c(2, 4)] <- 0.5
    fit <- setTerminalStates(GPCCA(m), list(a = 1, b = 5))
    fit <- computeFateProbabilities(fit)
    f <- as.matrix(fateProbabilities(fit))
    expect_identical(unname(f[, "a"]), c(1, 1, 0.5, 0, 0))
    key <- .keyLineages()
    expect_identical(fit@run[[key]]$unreachable_by_state, c(a = 1, b = 1))
    expect_identical(fit@run[[key]]$classes, 3)
})

test_that("steps in the wrong order say which one is missing", {
    fit <- GPCCA(walk())
    e <- expectFailure(computeFateProbabilities(fit), "not_computed")
    expect_match(conditionMessage(e), "predictTerminalStates")
    expectFailure(computeLineageDrivers(fit), "not_computed")
    every <- factor(rep(c("a", "b"), c(3, 4)))
    expectFailure(
        computeFateProbabilities(setTerminalStates(fit, every)), "no_state"
    )
})
