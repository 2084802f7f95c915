halves <- function() {
    x <- computeMoments(counted(160, 24), n_neighbors = 12)
    x$half <- factor(rep(c("early", "late"), each = 80))
    x
}

# The fit of one group by base R: score, tail, line.
lineOf <- function(s, u, fit = TRUE) {
    s <- s[fit]
    u <- u[fit]
    z <- s / max(s, 1e-3) + u / max(u, 1e-3)
    w <- z >= quantile(z, 0.95)
    if (any(s[w] > 0)) sum(s[w] * u[w]) / sum(s[w]^2) else 0
}

test_that("some groups are fitted and written, the rest is 0", {
    x <- halves()
    w <- expect_warning(
        v <- fewGenes(estimateVelocity(
            x, mode = "deterministic", groups = "late", groupby = "half"
        )), class = "fatecast_warning_dropped"
    )
    expect_length(w$cells, 80L)
    late <- x$half == "late"
    expect_true(all(assayOf(v, "velocity")[, !late] == 0))
    s <- assayOf(x, "Ms")[, late]
    u <- assayOf(x, "Mu")[, late]
    gamma <- vapply(seq_len(nrow(x)), function(g) lineOf(s[g, ], u[g, ]), 1)
    expect_equal(columnOf(v, "velocity_gamma"), gamma, tolerance = 1e-12)
    expect_equal(
        assayOf(v, "velocity")[, late], u - gamma * s, tolerance = 1e-12
    )
})

test_that("every level has its own fit, and the genes are the union", {
    x <- halves()
    for (mode in c("deterministic", "stochastic")) {
        v <- fewGenes(estimateVelocity(x, mode = mode, groupby = "half"))
        union <- FALSE
        for (level in levels(x$half)) {
            one <- suppressWarnings(estimateVelocity(
                x, mode = mode, groups = level, groupby = "half"
            ))
            at <- x$half == level
            expect_identical(
                assayOf(v, "velocity")[, at], assayOf(one, "velocity")[, at]
            )
            for (what in c("gamma", "qreg_ratio", "r2", "genes")) {
                expect_identical(
                    columnOf(v, paste0("velocity_", what, "_", level)),
                    columnOf(one, paste0("velocity_", what))
                )
            }
            union <- union | columnOf(one, "velocity_genes")
        }
        expect_identical(columnOf(v, "velocity_genes"), union)
    }
})

test_that("lines of some cells hold for all", {
    x <- halves()
    v <- fewGenes(estimateVelocity(
        x, mode = "deterministic", groups_for_fit = "early", groupby = "half"
    ))
    s <- assayOf(x, "Ms")
    u <- assayOf(x, "Mu")
    early <- x$half == "early"
    gamma <- vapply(seq_len(nrow(x)), function(g) {
        lineOf(s[g, ], u[g, ], early)
    }, 1)
    expect_equal(columnOf(v, "velocity_gamma"), gamma, tolerance = 1e-12)
    expect_equal(assayOf(v, "velocity"), u - gamma * s, tolerance = 1e-12)
    e <- u - gamma * s
    expect_equal(
        columnOf(v, "velocity_r2"),
        unname(1 - rowSums(e^2) / rowSums((u - rowMeans(u))^2)),
        tolerance = 1e-10
    )
    both <- lapply(c(FALSE, TRUE), function(compat) fewGenes(estimateVelocity(
        x, groups_for_fit = "early", groupby = "half", compat = compat
    )))
    expect_false(identical(
        columnOf(both[[1]], "velocity_gamma"),
        columnOf(both[[2]], "velocity_gamma")
    ))
})

test_that("the peer averages second moments within groups", {
    x <- halves()
    fit <- function(compat) fewGenes(estimateVelocity(
        x, groupby = "half", compat = compat
    ))
    ours <- fit(FALSE)
    peer <- fit(TRUE)
    expect_identical(
        columnOf(ours, "velocity_r2_late"), columnOf(peer, "velocity_r2_late")
    )
    expect_false(identical(
        columnOf(ours, "velocity_gamma_late"),
        columnOf(peer, "velocity_gamma_late")
    ))
    # By itself, a group has no others to average with.
    alone <- suppressMessages(fewGenes(estimateVelocity(
        x, groups = "late", groupby = "half", compat = TRUE
    ))) |> suppressWarnings()
    late <- x$half == "late"
    expect_identical(
        assayOf(alone, "velocity")[, late], assayOf(peer, "velocity")[, late]
    )
})

test_that("levels that cannot be fitted are named", {
    x <- halves()
    e <- expectFailure(
        estimateVelocity(x, groups = "lat", groupby = "half"),
        "unknown_argument", list(value = "lat", known = c("early", "late"))
    )
    expect_match(conditionMessage(e), "late")
    expectFailure(estimateVelocity(x, groups = "late"), "range")
    expectFailure(estimateVelocity(x, groupby = "none"), "missing_key")
    levels(x$half) <- c("early", "late")
    x$half[1] <- NA
    x$half <- factor(c("one", as.character(x$half)[-1]))
    expectFailure(
        estimateVelocity(x, groupby = "half"), "range",
        list(levels = "one", count = 1)
    )
})
